"""What goes in and out, for the description; requests are read by `rest.findface.params`, which takes more forms than this."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

Id = Annotated[int, Field(ge=0, lt=1 << 63)]
AnyId = Id | Annotated[str, Field(pattern="^[0-9]{1,18}$")]
Photo = Annotated[str, Field(description="a URL, or the picture in base64; in a multipart body a file", min_length=1)]
Selector = Literal["reject", "biggest", "all"]
Threshold = Annotated[float, Field(ge=0, le=1)] | Literal["strict", "medium", "low", "none"]
GalleryName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,48}$")]
Side = Annotated[float, Field(ge=-(1 << 24), le=1 << 24)]


class Loose(BaseModel):
    """Other parameters are ignored."""

    model_config = ConfigDict(extra="allow")


class BoxDocument(BaseModel):
    x1: Side
    y1: Side
    x2: Side
    y2: Side


Boxes = list[BoxDocument | Annotated[list[Side], Field(min_length=4, max_length=4)]]


class Detect(Loose):
    photo: Photo
    gender: bool = False
    age: bool = False
    emotions: bool = False


class Detected(BaseModel):
    faces: list[BoxDocument]
    orientation: int


class Verify(Loose):
    photo1: Photo
    photo2: Photo
    bbox1: Boxes = []
    bbox2: Boxes = []
    threshold: Threshold = 0.75
    mf_selector: Selector = "biggest"


class Pair(BaseModel):
    bbox1: BoxDocument
    bbox2: BoxDocument
    confidence: float
    verified: bool = Field(default=False, description="absent when the threshold is none")


class Verified(BaseModel):
    results: list[Pair]
    verified: bool = Field(default=False, description="absent when the threshold is none")


class Identify(Loose):
    photo: Photo | None = Field(None, description="or face_id")
    face_id: AnyId | None = Field(None, description="a stored face instead of a photo")
    bbox: Boxes = []
    threshold: Threshold = 0.75
    n: int = Field(1, ge=1, le=10_000)
    strict: bool | None = None
    mf_selector: Selector = "biggest"


class KnownFace(BaseModel):
    id: int
    timestamp: str
    photo: str
    thumbnail: str
    normalized: str
    photo_hash: str
    x1: float
    y1: float
    x2: float
    y2: float
    meta: str
    galleries: list[str]
    person_id: int = Field(default=0, description="when it has a person")
    friend: bool = Field(default=False, description="when persons are on")
    cam_id: str = Field(default="", description="when it was posted with one")
    detectorParams: dict[str, float] = Field(default={}, description="when it was posted with them")  # noqa: N815


class KnownMatch(BaseModel):
    confidence: float
    face: KnownFace


class IdentifyResult(BaseModel):
    results: dict[str, list[KnownMatch]] = Field(description="by box: [x1, y1, x2, y2]")
    live_servers: int
    total_servers: int


class FacePost(Loose):
    photo: Photo
    meta: str | None = Field(None, max_length=4096)
    bbox: Boxes = []
    mf_selector: Selector = "biggest"
    galleries: list[GalleryName] | str | None = None
    cam_id: str | None = None
    timestamp: str | None = None
    detectorParams: dict[str, Any] | None = None  # noqa: N815


class FaceList(BaseModel):
    results: list[KnownFace]


class FacePage(FaceList):
    next_page: str | None
    prev_page: str | None


class PageQuery(BaseModel):
    max_id: AnyId | None = Field(None, description="only older faces")
    min_id: AnyId | None = Field(None, description="only newer faces")
    limit: int = Field(30, ge=1, le=1000)


class FaceChange(Loose):
    meta: str | None = Field(None, max_length=4096)
    person_id: AnyId | None = None
    galleries: dict[Literal["add", "del", "set"], list[GalleryName]] | None = None


class MetaQuery(BaseModel):
    after: str | None = None
    limit: int = Field(30, ge=1, le=1000)


class MetaEntry(BaseModel):
    meta: str
    count: int
    face: KnownFace


class Metas(BaseModel):
    results: list[MetaEntry]
    next_page: str | None


class GalleryNames(BaseModel):
    results: list[str]


class GalleryPost(Loose):
    name: str | None = Field(None, description="when the path has none")


class GalleryEntry(BaseModel):
    name: str


class PersonEntry(BaseModel):
    id: int
    meta: str


class PersonList(BaseModel):
    results: list[PersonEntry]


class HistoryQuery(BaseModel):
    cam_ids: str | None = Field(None, description="UUIDs with commas between, or a JSON list")
    start: str | None = Field(None, description="ISO 8601")
    end: str | None = Field(None, description="ISO 8601")


class Sighting(BaseModel):
    person_id: int
    face_id: int
    cam_id: str | None
    meta: str
    screenshot: str
    timestamp: str


class PersonHistory(BaseModel):
    results: list[Sighting]


class HistorySearch(Loose):
    person_id: AnyId | None = None
    cam_ids: list[str] | None = None
    start: str | None = None
    end: str | None = None
    friend: bool | None = None
    limit: int = Field(0, ge=0, le=1_000_000, description="0: all")


class HistoryFaces(FaceList):
    next_page: str = Field(default="", description="absent on the last page")


Area = Annotated[list[int], Field(min_length=4, max_length=4)]


class CameraPost(Loose):
    meta: str | None = None
    enabled: bool | None = None
    url: str | None = None
    detector: str | None = None
    rot: Area | None = None
    roi: Area | None = None


class CameraEntry(BaseModel):
    id: str
    meta: str
    url: str
    detector: str
    enabled: bool
    rot: list[int] | None
    roi: list[int] | None


class CameraList(RootModel[list[CameraEntry]]):
    """No wrapper around it."""


class CameraQuery(BaseModel):
    detector: str | None = Field(None, description="only cameras of this group")
