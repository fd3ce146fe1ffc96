// What pages can do besides being read. Nothing depends on it: without it they are complete.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const stored = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const isDark = () =>
    (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (["dark", "light"].includes(stored())) root.dataset.theme = stored();

  const labelToggle = (button) => {
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  };
  const toggleTheme = (button) => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* kept for this page alone */ }
    labelToggle(button);
  };

  const copy = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard: the old way.
      const area = document.createElement("textarea");
      area.value = text;
      area.className = "sr";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const label = button.dataset.label || button.getAttribute("aria-label");
    button.dataset.label = label;
    button.classList.add("copied");
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => {
      button.classList.remove("copied");
      button.setAttribute("aria-label", label);
    }, 1500);
  };

  const ago = (seconds) => {
    if (seconds < 1.5) return "just now";
    for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= 2 * length || (unit !== "d" && seconds >= length)) return `${Math.round(seconds / length)} ${unit} ago`;
    }
    return `${Math.round(seconds)} s ago`;
  };
  const tellTimes = () => {
    for (const time of document.querySelectorAll("time[data-since]")) {
      time.textContent = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    }
  };

  // Changes as they come. The server may drop a slow reader; EventSource comes back by itself.
  // A page that nobody looks at lets go: a browser has six connections to a host, for all its tabs.
  const listen = (onChange) => {
    let source = null;
    const follow = () => {
      if (document.hidden) {
        source?.close();
        source = null;
      } else if (!source) {
        source = new EventSource("/api/events");
        source.addEventListener("change", (message) => {
          try { onChange(JSON.parse(message.data)); } catch { /* not a change that this page knows */ }
        });
      }
    };
    follow();
    document.addEventListener("visibilitychange", follow);
    addEventListener("pagehide", () => source?.close());
  };

  const number = (value) => String(Math.round(value * 100) / 100);
  const MOST_CHANGES = 12;
  const showChange = (body, change) => {
    const line = document.getElementById("change-line").content.firstElementChild.cloneNode(true);
    const fill = (selector, text, address, title) => {
      const element = line.querySelector(selector);
      element.textContent = text;
      element.href = `${address}?account=${encodeURIComponent(change.root_account_uuid)}`;
      element.title = title;
    };
    const at = new Date(change.changed_at * 1000);
    const time = line.querySelector("time");
    time.dateTime = at.toISOString();
    time.title = at.toUTCString();
    time.textContent = ago((Date.now() - at) / 1000);
    fill("[data-student]", change.user_uuid, `/users/${encodeURIComponent(change.user_uuid)}`, change.user_uuid);
    line.querySelector(".copy").dataset.copy = change.user_uuid;
    fill("[data-outcome]", change.outcome_title || `Outcome ${change.learning_outcome_id}`,
      `/outcomes/${encodeURIComponent(change.learning_outcome_id)}`, "");
    const verdict = line.querySelector("[data-verdict]");
    if (change.deleted || change.score === null) {
      verdict.className = "none";
      verdict.textContent = change.deleted ? "removed" : "No evidence";
    } else {
      verdict.querySelector("strong").textContent = number(change.score);
      verdict.querySelector(".mark").textContent = change.mastery ? "✓" : "–";
      verdict.querySelector(".sr").textContent = change.mastery ? "mastered" : "not mastered";
    }
    body.prepend(line);
    while (body.rows.length > MOST_CHANGES) body.rows[body.rows.length - 1].remove();
  };
  // However many come, the page moves once a second.
  const showChanges = (body) => {
    let coming = [];
    let waiting = false;
    listen((change) => {
      coming = [...coming, change].slice(-MOST_CHANGES);
      if (waiting) return;
      waiting = true;
      setTimeout(() => {
        for (const each of coming) showChange(body, each);
        coming = [];
        waiting = false;
      }, 1000);
    });
  };

  // Whoever comes for one outcome wants to see how its score came about.
  const openTarget = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (const details of target ? target.querySelectorAll(".standing") : []) details.open = true;
  };

  const start = () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) labelToggle(button);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.copy !== undefined) copy(button);
      if (button.dataset.themeToggle !== undefined) toggleTheme(button);
    });
    setInterval(tellTimes, 15000);
    openTarget();
    addEventListener("hashchange", openTarget);
    const changes = document.getElementById("changes");
    if (changes) showChanges(changes);
    const student = document.body.dataset.student;
    const notice = document.getElementById("changed");
    if (student && notice) {
      listen((change) => { if (change.user_uuid === student) notice.hidden = false; });
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
