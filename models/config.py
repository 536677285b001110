"""Settings of encoders. The settings of each room extend those of the room below it, and are read at its door."""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from models.encoders.runtime import Runtime
from models.foundation.errors import InvalidSetting
from models.foundation.validation import validation_reason
from models.secret_files import SecretFiles

S = TypeVar("S", bound="EncoderSettings")


class EncoderSettings(BaseSettings):
    """Where encoder weights lie and come from, and what runs them. Environment: XUNTU_WEIGHTS, XUNTU_DEVICE, ..."""

    model_config = SettingsConfigDict(
        env_prefix="XUNTU_",
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )

    data: Path = Field(Path("data"), description="Folder of the library")
    weights: Path | None = Field(None, description="Folder of encoder weights; default: weights/ in the library")
    precision: Literal["auto", "fp32", "fp16", "int8"] = Field("auto", description="auto: the fastest exported")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N, tensorrt, or a list of them")
    templates: Literal["auto", "on", "off"] = Field(
        "auto", description="Encode the name of a thing in several sentences; auto: where the encoder gains by it"
    )
    threads: int = Field(0, ge=0, le=1024, description="Threads an encoder runs on; 0: every processor")
    offline: bool = Field(False, description="Never touch the network")
    hub: Literal["auto", "huggingface", "modelscope"] = Field("auto", description="Where weights are fetched from")
    mirror: str = Field(
        "",
        validation_alias=AliasChoices("XUNTU_MIRROR", "HF_ENDPOINT"),
        pattern=r"^$|^https?://\S+$",
        description="Address used in place of Hugging Face's",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take secrets from files as well; what is given beats the environment, and that `.env`."""
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings, file_secret_settings

    @property
    def runtime(self) -> Runtime:
        """How encoders run."""
        weights = self.weights or self.data / "weights"
        return Runtime(
            weights=weights,
            precision=self.precision,
            device=self.device,
            threads=self.threads,
            templates=self.templates,
        )


def load_settings(kind: type[S], **given: object) -> S:
    """Return settings; what is `given` and not None beats the environment. Raises InvalidSetting."""
    try:
        return kind(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "__".join(str(part) for part in first["loc"]).upper()
        name = name if name.startswith(("XUNTU_", "HF_")) else f"XUNTU_{name}"
        raise InvalidSetting(name, str(first.get("input")), validation_reason(first)) from error
