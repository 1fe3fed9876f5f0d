"""Everything that the environment may set, read once."""

from pydantic import PositiveFloat
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings with the prefix LABWRIGHT_; a database URL here replaces `labwright.db` beside the campaign file."""

    model_config = SettingsConfigDict(env_prefix="LABWRIGHT_", env_nested_delimiter="__", extra="forbid", frozen=True)

    database_url: str | None = None
    busy_timeout_s: PositiveFloat = 30.0
    stop_poll_s: PositiveFloat = 0.2
    reconnect_s: PositiveFloat = 20.0
