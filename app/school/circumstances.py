"""The metadata of events: sent during a web request of a teacher, or from a background job."""

from hashlib import md5
from typing import Any

from app.school.dice import Dice
from app.school.model import Course, RootAccount

__all__ = ["Circumstances"]

_BROWSERS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
)


class Circumstances:
    """Makes metadata. Every user, address and host is made up: .example is nobody's domain (RFC 2606)."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def job(self, root: RootAccount, name: str, time: int, tag: str) -> dict[str, Any]:
        """Return what events of a background job carry: nobody's name."""
        return {
            "event_name": name,
            "event_time": root.clock(time),
            "job_id": root.global_id(root.next_id("job")),
            "job_tag": tag,
            "producer": "canvas",
            "root_account_id": root.global_id(1),
            "root_account_lti_guid": f"{root.uuid}:{root.host}",
            "root_account_uuid": root.uuid,
        }

    def request(
        self, root: RootAccount, name: str, time: int, path: str, place: Course | None
    ) -> dict[str, Any]:
        """Return what events of a web request carry: of the course's teacher, or of an administrator."""
        dice = self._dice
        context, account, teacher, role = root.context, root.context, 1, "AccountAdmin"
        if place is not None:
            context, account, teacher = place.context, place.account, place.teacher
            role = "TeacherEnrollment"
        request = md5(f"{root.uuid}{root.next_id('request')}".encode(), usedforsecurity=False).hexdigest()
        metadata = {
            "event_name": name,
            "event_time": root.clock(time),
            "client_ip": f"198.51.100.{dice.between(1, 254)}",
            "context_account_id": root.global_id(account.id),
            "context_id": root.global_id(context.id),
            "context_role": role,
            "context_type": context.type,
            "hostname": root.host,
            "http_method": "POST" if name.endswith("_created") else "PUT",
            "producer": "canvas",
            "referrer": f"https://{root.host}/",
            "request_id": f"{request[:8]}-{request[8:12]}-{request[12:16]}-{request[16:20]}-{request[20:]}",
            "root_account_id": root.global_id(1),
            "root_account_lti_guid": f"{root.uuid}:{root.host}",
            "root_account_uuid": root.uuid,
            "session_id": md5(f"{root.uuid}{teacher}".encode(), usedforsecurity=False).hexdigest(),
            "time_zone": root.zone,
            "url": f"https://{root.host}/api/v1/{path}",
            "user_account_id": root.global_id(1),
            "user_agent": dice.pick(_BROWSERS),
            "user_id": root.global_id(9_000_000 + teacher),
            "user_login": f"teacher{teacher}@{root.host}",
        }
        if dice.chance(0.3):
            metadata["user_sis_id"] = f"T{teacher:05d}"
        if dice.chance(0.05):
            metadata["developer_key_id"] = root.global_id(17)
        if dice.chance(0.02):
            metadata["real_user_id"] = root.global_id(9_000_000)
        return metadata
