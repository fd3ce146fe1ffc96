// What pages can do besides being read: all of it is a comfort, nothing depends on it.
"use strict";
document.documentElement.classList.add("js");
