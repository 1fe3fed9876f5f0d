"""Everything that the environment may set, read once."""

from pydantic import NonNegativeFloat, PositiveFloat
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings with the prefix LABWRIGHT_.

    `database_url` replaces `labwright.db` beside the campaign file; `urls`, by a resource's name, replaces the `url`
    that a campaign file gives it: the same file, other addresses. `lease_s`: how long a process that keeps silent is
    waited for before others take over what its device keeps apart; `outage_s`: how long a database that cannot be used
    is tried again before `run` and `conduct` end.
    """

    model_config = SettingsConfigDict(env_prefix="LABWRIGHT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    database_url: str | None = None
    urls: dict[str, str] = {}
    busy_timeout_s: PositiveFloat = 30.0
    poll_s: PositiveFloat = 0.2
    lease_s: PositiveFloat = 15.0
    outage_s: NonNegativeFloat = 600.0
