"""What goes in and out, for the description; requests are read by `rest.findface.params`, which takes more forms than this."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

MAX_ID = (1 << 63) - 1
Empty = Literal[""]
"""An empty text says nothing, as it comes from a form."""
Id = Annotated[int, Field(ge=0, le=MAX_ID)]
IdText = Annotated[str, Field(pattern="^[0-9]{1,18}$")]
AnyId = Id | IdText | Empty | None
Flag = bool | Literal["1", "true", "yes", "on", "0", "false", "no", "off", ""] | None
Photo = Annotated[str, Field(description="a URL, or the picture in base64; in a multipart body a file", min_length=1)]
Selector = Literal["reject", "biggest", "all", ""] | None
Share = Annotated[float, Field(ge=0, le=1)]
ShareText = Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,17})?|1(\.0{1,17})?)$")]
Threshold = Share | ShareText | Literal["strict", "medium", "low", "none"] | None
GalleryName = Annotated[str, Field(pattern="^[a-zA-Z0-9_-]{1,48}$")]
Side = Annotated[float, Field(ge=-(1 << 24), le=1 << 24)]
Count = (
    Annotated[int, Field(ge=1, le=10_000)] | Annotated[str, Field(pattern="^([1-9][0-9]{0,3}|10000)$")] | Empty | None
)
PageSize = (
    Annotated[int, Field(ge=1, le=1000)] | Annotated[str, Field(pattern="^([1-9][0-9]{0,2}|1000)$")] | Empty | None
)
Limit = Annotated[int, Field(ge=0, le=1_000_000)] | Annotated[str, Field(pattern="^[0-9]{1,6}$")] | Empty | None
Moment = Annotated[str, Field(description="ISO 8601, UTC without a zone", json_schema_extra={"format": "date-time"})]
Time = Moment | Empty | None
Meta = Annotated[str, Field(max_length=4096)] | None


class Loose(BaseModel):
    """Other parameters are ignored."""

    model_config = ConfigDict(extra="allow")


class Exact(BaseModel):
    """Nothing else may be said."""

    model_config = ConfigDict(extra="forbid")


class FacePath(BaseModel):
    face: IdText


class PicturePath(FacePath):
    kind: Literal["photo", "thumbnail", "normalized"]


class PersonPath(BaseModel):
    person: IdText


class GalleryPath(BaseModel):
    gallery: GalleryName


class BoxDocument(BaseModel):
    x1: Side
    y1: Side
    x2: Side
    y2: Side


Sides = Annotated[list[Side], Field(min_length=4, max_length=4)]
Boxes = BoxDocument | Sides | Annotated[list[BoxDocument | Sides], Field(max_length=1000)] | None


class Detect(Loose):
    photo: Photo
    gender: Flag = Field(None, description="needs an analyser; /v0 ignores it, as the two that follow")
    age: Flag = None
    emotions: Flag = None


class DetectedFace(BoxDocument):
    gender: Literal["male", "female"] = Field("male", description="when asked for, as the two that follow")
    age: float = 0.0
    emotions: list[str] = []


class Detected(BaseModel):
    faces: list[DetectedFace]
    orientation: int


class Verify(Loose):
    photo1: Photo
    photo2: Photo
    bbox1: Boxes = None
    bbox2: Boxes = None
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
    face_id: AnyId = Field(None, description="a stored face instead of a photo")
    bbox: Boxes = None
    threshold: Threshold = 0.75
    n: Count = 1
    strict: Flag = Field(None, description="true: an error unless every worker holds the index")
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
    gender: str = Field(default="", description="when it was posted with it, as the two that follow; not in /v0")
    age: float = 0.0
    emotions: list[str] = []
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
    meta: Meta = None
    bbox: Boxes = None
    mf_selector: Selector = "biggest"
    galleries: list[GalleryName] | str | None = None
    cam_id: str | None = None
    timestamp: Time = None
    gender: Flag = Field(None, description="needs an analyser; /v0 ignores it, as the two that follow")
    age: Flag = None
    emotions: Flag = None
    detectorParams: dict[str, Any] | None = None  # noqa: N815


class FaceList(BaseModel):
    results: list[KnownFace]


class FacePage(FaceList):
    next_page: str | None
    prev_page: str | None


class PageQuery(BaseModel):
    max_id: AnyId = Field(None, description="only older faces")
    min_id: AnyId = Field(None, description="only newer faces")
    limit: PageSize = 30


class AddGalleries(Exact):
    add: list[GalleryName]


class DelGalleries(Exact):
    names: list[GalleryName] = Field(alias="del")


class SetGalleries(Exact):
    set: list[GalleryName]


class FaceChange(Loose):
    meta: Meta = None
    person_id: AnyId = None
    galleries: AddGalleries | DelGalleries | SetGalleries | None = None


class MetaQuery(BaseModel):
    after: str | None = None
    limit: PageSize = 30


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
    name: GalleryName


class GalleryEntry(BaseModel):
    name: str


class PersonEntry(BaseModel):
    id: int
    meta: str


class PersonList(BaseModel):
    results: list[PersonEntry]


class HistoryQuery(BaseModel):
    cam_ids: str | None = Field(None, description="UUIDs with commas between, or a JSON list")
    start: Time = None
    end: Time = None


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
    person_id: AnyId = None
    cam_ids: list[str] | str | None = None
    start: Time = None
    end: Time = None
    friend: Flag = None
    limit: Limit = Field(0, description="0: all")


class HistoryFaces(FaceList):
    next_page: str = Field(default="", description="absent on the last page")


Pixel = Annotated[int, Field(gt=-(1 << 24), lt=1 << 24)]
Area = (
    Annotated[list[Pixel], Field(min_length=4, max_length=4)]
    | Annotated[list[Pixel], Field(max_length=0)]
    | Empty
    | None
)


class CameraPost(Loose):
    meta: str | None = None
    enabled: Flag = None
    url: str | None = None
    detector: str | None = None
    rot: Area = Field(None, description="[W, H, X, Y]; empty for none, as roi")
    roi: Area = None


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
