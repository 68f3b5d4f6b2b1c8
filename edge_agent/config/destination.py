"""The model of one destination: the publisher's keys and those of its profile, in one section."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import create_model

from edge_agent.api import ProfileConfig, ProfilePlugin, PublishConfig, PublisherPlugin


def with_profile(publisher: PublisherPlugin, profile: ProfilePlugin) -> type[PublishConfig]:
    """The publisher's model with the keys and checks of the profile's added."""
    return _joined(publisher.config, profile.config)


@cache
def _joined(publisher: type[PublishConfig], profile: type[ProfileConfig]) -> type[PublishConfig]:
    own = set(profile.model_fields)
    if not own:
        return publisher
    if twice := own & set(publisher.model_fields):
        raise TypeError(f"{profile.__name__} and {publisher.__name__} both have the key {min(twice)}")
    name = profile.__name__.removesuffix("Config") + publisher.__name__
    bases: Any = (publisher, profile)       # pydantic's own annotation wants them all to be one type
    model: type[PublishConfig] = create_model(name, __base__=bases, __doc__=publisher.__doc__)
    return model
