"""The core contract as pydantic models: they check requests, and /openapi.json is made from them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from facerec.ports import MATCHES_SHOWN

State = Literal["queued", "processing", "done", "failed"]
Hash = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the image's bytes")


class Strict(BaseModel):
    """A request: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class NoQuery(Strict):
    """No parameters."""


class ImagesQuery(Strict):
    state: State | None = None
    name: str | None = Field(None, description="only images with a name that begins so, in whatever state")
    limit: int = Field(50, ge=1, le=500)
    cursor: str = Field("", description="from the previous page's next_page")


class MatchQuery(Strict):
    limit: int | None = Field(None, ge=1, le=10_000, description="names on a page; all when not given")
    cursor: str = Field("", description="from the Link header of the page before")


class ImageQuery(Strict):
    limit: int = Field(MATCHES_SHOWN, ge=1, le=MATCHES_SHOWN, description="matches on a page")
    cursor: str = Field("", description="the matches_cursor of the page before")


class UrlToScan(Strict):
    url: str = Field(description="an http or https URL of one image")


class Error(BaseModel):
    code: str
    reason: str
    param: str | None = None
    value: Any = None


class Queued(BaseModel):
    hash: str = Hash


class Box(BaseModel):
    """Pixels of the upright original."""

    top: int
    right: int
    bottom: int
    left: int


class Point(BaseModel):
    x: int
    y: int


class Face(BaseModel):
    id: int
    box: Box
    landmarks: list[Point]
    confidence: float
    marks: list[str] = Field(description="why the quality filter distrusts the face; a marked one is not compared")
    person: int | None = Field(None, description="whose face it is, as far as that is known")
    thumbnail: str | None = Field(description="path of the face crop, or null when no pictures are kept")


class Match(BaseModel):
    hash: str = Hash
    names: list[str]
    distance: float = Field(description="Euclidean, smaller is closer")
    face: int
    matched_face: int


class ImageSummary(BaseModel):
    hash: str = Hash
    state: State
    reason: str | None = Field(description="code of the error when failed")
    detail: str | None = Field(description="text for a person when failed")
    names: list[str]
    width: int | None
    height: int | None
    model: str | None
    queued_at: str | None = Field(description="ISO 8601")
    done_at: str | None = Field(description="ISO 8601")
    attempts: int


class Image(ImageSummary):
    faces: list[Face]
    matches: list[Match] = Field(description="nearest first")
    matches_total: int = Field(description="how many there are in all")
    matches_cursor: str = Field(description="the cursor of the next page; empty on the last")


class Images(BaseModel):
    results: list[ImageSummary]
    next_page: str | None


class ModelEntry(BaseModel):
    id: int
    name: str
    default: bool


class WorkerEntry(BaseModel):
    name: str
    device: str | None = None
    model: Any = None


class ServiceDocument(BaseModel):
    name: str
    version: str
    models: list[ModelEntry]
    links: dict[str, str]
    workers: list[WorkerEntry] | None = Field(description="null when the store does not tell")


class Part(BaseModel):
    ok: bool = Field(description="whether it does all that it should")
    reason: str | None = Field(None, description="what it does not do, and why")
    reads: bool = Field(description="whether who only reads is served; true without ok: it takes no writes for now")


class Ready(BaseModel):
    ready: bool
    parts: dict[Literal["broker", "redis", "workers", "image_store"], Part]
