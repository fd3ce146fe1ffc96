"""Settings of the workers' web server: where it listens, what it shows, and to whom."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    SecretStr,
    model_validator,
)

from app.settings.types import (
    HeaderName,
    HttpUrl,
    ReadableFile,
    SiteUrl,
    absolute,
    check_web_token,
    networks,
    stripped,
)
from app.settings.variables import variable

__all__ = ["WebSettings"]


class WebSettings(BaseModel):
    """The web server of a worker, and how workers know each other."""

    web_host: str = Field(default="127.0.0.1", description="Address the worker's web server listens on.")
    web_port: int = Field(
        default=6066,
        ge=0,
        le=65535,
        description="Port of the worker's web server; 0 takes any free one. Unset and in use: the next one.",
    )
    web_view: bool = Field(
        default=True,
        description="Whether the worker shows its state in a browser and by an API. Only then it keeps what "
        "that needs, copies of its rows to search in; health, metrics and schemas it serves in any case.",
    )
    web_advertised_url: HttpUrl | None = Field(
        default=None,
        description="Address under which the other workers reach this one's web server, for example "
        "http://worker-1:6066. Unset: the one it listens on; for all addresses, the machine's name.",
    )
    web_token: Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_web_token)] | None = (
        Field(
            default=None,
            description="Token that guards the worker's web server apart from /health; needed where other "
            "machines reach it. Sent as `Authorization: Bearer`, or as the password of a login.",
        )
    )
    web_token_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File that holds that token instead, read when a worker starts; `mastery web-token` "
        "makes one.",
    )
    web_roster: ReadableFile | None = Field(
        default=None,
        description="CSV file with columns kind (user or course), id and name: names for ids on the pages. "
        "Held in memory alone.",
    )
    canvas_url: SiteUrl | None = Field(
        default=None,
        description="Address of Canvas, for example https://canvas.school.example: pages link to courses, "
        "gradebooks and outcomes there. Unset: no links.",
    )
    web_users_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="TOML file with the logins of the web server and what each may see, read again when it "
        "changes; `mastery web-user` makes its entries.",
    )
    web_trusted_proxies: Annotated[str, AfterValidator(networks)] = Field(
        default="",
        description="Addresses or networks of the reverse proxies whose login headers are believed, for "
        "example 127.0.0.1,10.0.0.0/8.",
    )
    web_proxy_user_header: HeaderName | None = Field(
        default=None,
        description="Header in which a trusted proxy names who is logged in, for example X-Remote-User.",
    )
    web_proxy_role_header: HeaderName | None = Field(
        default=None,
        description="Header in which a trusted proxy gives the role: aggregate, viewer or admin. Unset: the "
        "users file tells it.",
    )
    web_proxy_secret: (
        Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_web_token)] | None
    ) = Field(
        default=None,
        description="What a trusted proxy must send in X-Mastery-Proxy-Secret as well. Unset: its address "
        "is enough.",
    )
    web_rate_limit: NonNegativeFloat = Field(
        default=50.0,
        description="Requests a second that one client may make for long, four times as many at once; 0 sets "
        "no limit.",
    )
    web_audit_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None,
        description="File for one line about each look at a student in the web view. Unset: in the log.",
    )
    web_pseudonyms: bool = Field(
        default=False,
        description="Whether the web view shows pseudonyms in place of students' ids and names.",
    )
    cluster_token: Annotated[SecretStr, BeforeValidator(stripped), AfterValidator(check_web_token)] | None = (
        Field(
            default=None,
            description="Token by which the workers know each other's calls, the same for all. Unset: the "
            "web token.",
        )
    )
    cluster_token_file: Annotated[Path, AfterValidator(absolute)] | None = Field(
        default=None, description="File that holds that token instead, read when a worker starts."
    )

    @model_validator(mode="after")
    def _check_web(self) -> Self:
        """Refuse halves of settings that only make sense together; the message names what is missing."""
        for name in ("web_token", "cluster_token"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                message = f"{variable(name)} and {variable(f'{name}_file')} are both set: keep one"
                raise ValueError(message)
        self._check_proxy()
        return self

    def _check_proxy(self) -> None:
        """A header that nobody is trusted with, or no header from the trusted, would let nobody in."""
        if (self.web_proxy_user_header is None) != (not self.web_trusted_proxies):
            first, second = variable("web_proxy_user_header"), variable("web_trusted_proxies")
            message = f"{first} and {second} are needed together"
            raise ValueError(message)
        for name in ("web_proxy_role_header", "web_proxy_secret"):
            if getattr(self, name) is not None and self.web_proxy_user_header is None:
                message = f"{variable(name)} is set, but {variable('web_proxy_user_header')} is not"
                raise ValueError(message)
