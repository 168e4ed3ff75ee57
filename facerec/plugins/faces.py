"""``ctx.faces`` and ``ctx.extractor``: what a photo shows, what is stored, who is near."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from facerec.confidence import DEFAULT_THRESHOLD
from facerec.enrolment import Wish, fields_at
from facerec.errors import NotFound
from facerec.faces import Box, Encoding
from facerec.galleries import Bounds, Change, FaceBook, StoredFace
from facerec.identity import image_hash
from facerec.plugins.documents import Document, Store
from facerec.plugins.owners import User, owners_of
from facerec.services.analyser import NAMES, Attributing, texts_of
from facerec.services.enrolment import Enrolments, Filter
from facerec.services.erasure import FaceRemoval
from facerec.services.identify import MAX_COUNT, Hit, Identification, Question
from facerec.services.lookup import Lookup, Seen
from facerec.services.persons import Persons
from facerec.services.pictures import Pictures
from facerec.services.uploads import Uploads

_AT_ONCE = 500


class ExtractionFace(Document):
    """A face of a photo that is not stored; its keys are attributes, too, and a plugin may add ``meta`` and the like.

    ``bbox`` is ``{x1, y1, x2, y2}``, ``facen`` the encoding (128 float32), ``normalized`` the aligned face as PNG bytes or
    None, ``gender``, ``age`` and ``emotions`` None until they are asked for, ``score`` the detector's, ``photo_hash`` as in
    the answers of /v1. ``photo`` and ``user`` say where it comes from; they are no keys.
    """

    def __init__(self, user: str, photo: bytes, keys: Mapping[str, Any]) -> None:
        super().__init__(keys)
        object.__setattr__(self, "user", user)
        object.__setattr__(self, "photo", photo)

    @property
    def box(self) -> Box:
        bbox = self["bbox"]
        return Box(top=bbox["y1"], right=bbox["x2"], bottom=bbox["y2"], left=bbox["x1"])


Probe = StoredFace | ExtractionFace | Seen | Encoding


class Hits(list[Hit]):
    """Hits by falling confidence; how many parts of the index answered, of how many."""

    live_servers = 0
    total_servers = 0


class Extractor:
    def __init__(self, lookup: Lookup, attributing: Attributing) -> None:
        self._lookup = lookup
        self._attributing = attributing

    async def extract(self, user: str, photo: bytes, **wanted: bool) -> list[ExtractionFace]:
        """Every face of a photo, with its encoding; nothing is stored. ``wanted`` as of `enrich`."""
        chips = bool(wanted.pop("normalized", False))
        seen = self._lookup.all_faces(user, photo, chips=chips)
        faces = [_extracted(user, photo, face) for face in seen]
        await self.enrich(faces, **wanted)
        return faces

    async def enrich(self, faces: Sequence[ExtractionFace], *, facen: bool = True, **wanted: bool) -> None:
        """Add what is wanted, in place: facen (there from the start), normalized, gender, age, emotions.

        Raises NoAnalyser without an analyser, AnalyserFailed, TypeError for what nobody knows.
        """
        unknown = wanted.keys() - {"normalized", *NAMES}
        if unknown:
            raise TypeError(f"a face has no {', '.join(sorted(unknown))}")
        names = tuple(name for name in NAMES if wanted.get(name))
        self._attributing.check(names)
        for user, photo, some in _by_photo(faces):
            if (facen and any("facen" not in face for face in some)) or wanted.get("normalized"):
                self._look_again(user, photo, some, chips=bool(wanted.get("normalized")))
            told = self._attributing.of_faces(photo, [face.box for face in some], names)
            for face, more in zip(some, told, strict=True):
                face.update(more)

    def _look_again(self, user: str, photo: bytes, faces: Sequence[ExtractionFace], *, chips: bool) -> None:
        seen = {each.box: each for each in self._lookup.all_faces(user, photo, chips=chips)}
        for face in faces:
            again = seen.get(face.box)
            if again:
                face.update({"facen": again.encoding} | ({"normalized": again.chip or None} if chips else {}))


class Faces(Store):
    def __init__(
        self,
        *,
        book: FaceBook,
        enrolments: Enrolments,
        identification: Identification,
        persons: Persons,
        removal: FaceRemoval,
        lookup: Lookup,
        uploads: Uploads,
        pictures: Pictures,
    ) -> None:
        self._book = book
        self._enrolments = enrolments
        self._identification = identification
        self._persons = persons
        self._removal = removal
        self._lookup = lookup
        self._uploads = uploads
        self._pictures = pictures

    async def find(self, user: User, gallery: str = "default", meta: str | None = None) -> list[StoredFace]:
        """All faces of a gallery, newest first, with this meta only when it is given."""
        return [face for owner in owners_of(self._book, user) for face in self._walk(owner, gallery, meta)]

    async def find_one(self, user: User, face_id: int) -> StoredFace | None:
        for owner in owners_of(self._book, user):
            if found := self._book.faces(owner, [face_id])[0]:
                return found
        return None

    async def count(self, user: User, gallery: str = "default") -> int:
        return len(await self.find(user, gallery))

    async def add(self, user: str, face: ExtractionFace) -> StoredFace:
        """Store a face that was extracted, as POST /face with its box does. Ids are made here: a given ``_id`` is refused.

        Its keys ``meta``, ``galleries`` (names), ``cam_id`` and ``timestamp`` (datetime, or seconds since the epoch) are kept
        with it, and what an analyser said. Raises ValueError, and all that POST /face answers with.
        """
        if face.get("facen") is None:
            raise ValueError("facen is missing: enrich the face first")
        if "_id" in face or "id" in face:
            raise ValueError("a face gets its id when it is stored")
        wish = self._wish(user, face)
        found = self._enrolments.post(user, face.photo, image_hash(face.photo), wish)
        if not found:
            raise NotFound("the face was removed while it was stored")
        return found[0]

    async def post(self, user: str, photo: bytes, name: str, wish: Wish) -> list[StoredFace]:
        """Store the faces of a photo that a wish means, as POST /face does."""
        return self._enrolments.post(user, photo, name, wish)

    async def update_one(
        self, user: str, face_id: int, *, meta: str | None = None, person_id: int | None = None
    ) -> StoredFace | None:
        """None when there is none."""
        try:
            self._book.change(user, face_id, Change(meta=meta, person=person_id))
        except NotFound:
            return None
        return await self.find_one(user, face_id)

    async def update_many(
        self, user: str, face_ids: Iterable[int], *, meta: str | None = None, person_id: int | None = None
    ) -> int:
        """How many of them there were."""
        changed = [await self.update_one(user, face, meta=meta, person_id=person_id) for face in face_ids]
        return len([face for face in changed if face])

    async def remove_one(self, user: str, face_id: int) -> bool | None:
        """True, or None when there is none. A posted photo goes with its last face."""
        return self._removal.remove(user, face_id) or None

    async def add_to_galleries(self, user: str, face: StoredFace, names: Sequence[str]) -> None:
        """Raises NotFound, BadParam. A face that is in one of them stays there."""
        self._book.change(user, face.id, Change(galleries=("add", tuple(names))))

    async def del_from_galleries(self, user: str, face: StoredFace, names: Sequence[str]) -> None:
        """Raises NotFound. A face that is in none of them stays as it is."""
        self._book.change(user, face.id, Change(galleries=("del", tuple(names))))

    async def identify(
        self,
        user: str,
        gallery: str,
        face: Probe,
        limit: int = 1,
        threshold: float = DEFAULT_THRESHOLD,
        filters: Filter | Mapping[str, Any] | None = None,
        ignore_errors: bool | None = None,
    ) -> Hits:
        """At most ``limit`` (0: MAX_COUNT) faces that pass the filters, by falling confidence: filters come before the limit.

        ``filters`` is a function, or attributes of `StoredFace` and their values. ``ignore_errors`` False makes it an error
        when a part of the index does not answer, None does as the service is set.
        """
        strict = None if ignore_errors is None else not ignore_errors
        passes = None if filters is None else filter_of(filters)
        question = Question(gallery, threshold, limit or MAX_COUNT, passes, strict)
        found = self._identification.identify(user, [encoding_of(face)], question)
        hits = Hits(found.rows[0])
        hits.live_servers, hits.total_servers = found.servers.live, found.servers.total
        return hits

    async def regenerate_id(self, face: ExtractionFace) -> ExtractionFace:
        """Forget an ``_id`` or ``id`` that the face was given, in place, so that `add` makes one: nobody else can."""
        for name in ("_id", "id"):
            face.pop(name, None)
        return face

    async def gen_ffupload_key(self, user: str, face: ExtractionFace | StoredFace, kind: str = "photo") -> str:
        """A new key for a picture that belongs to the photo of ``face``: ``kind`` is photo, thumb or norm. Raises ValueError."""
        return self._uploads.key(user, _photo_hash(face), kind)

    async def upload(self, user: str, key: str, picture: bytes) -> str:
        """Keep a picture under a key of `gen_ffupload_key`; its path at this service, '' when no pictures are kept.

        Raises ValueError, TooLarge, UnsupportedImage, UnreadableImage, ImageStoreUnavailable.
        """
        return f"/v1/uploads/{key}" if self._uploads.put(user, key, picture) else ""

    async def upload_thumbnail(self, user: str, face: ExtractionFace | StoredFace, key: str | None = None) -> str:
        """Keep the face itself as `upload` does, by default under a new key. Raises NotFound without a picture of it."""
        picture: bytes | None
        if isinstance(face, StoredFace):
            picture = self._pictures.thumbnail(user, face.id)
        else:
            (picture,) = self._lookup.thumbnails(user, face.photo, [face.box])
        if picture is None:
            raise NotFound("no picture of this face is kept")
        return await self.upload(user, key or await self.gen_ffupload_key(user, face, "thumb"), picture)

    async def remove_uploads(self, user: str, face: ExtractionFace | StoredFace) -> int:
        """Remove all that was uploaded for the photo of ``face``, as erasing the photo does; how many pictures there were."""
        return self._uploads.erase(user, _photo_hash(face))

    def _wish(self, user: str, face: ExtractionFace) -> Wish:
        settings, now = self._persons.settings, self._persons.clock()
        at = face.get("timestamp", now)
        if isinstance(at, datetime):
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        fields = fields_at(float(at), settings.friend_timezone)
        if face.get("cam_id"):
            if self._book.camera(user, face["cam_id"]) is None:
                raise ValueError(f"there is no camera {face['cam_id']}")
            fields["cam_id"] = face["cam_id"]
        galleries = tuple(face.get("galleries", ()))
        for name in galleries:
            if not self._book.has_gallery(user, name):
                raise ValueError(f"there is no gallery {name}")
        box = face.box
        return Wish(
            boxes=((box.top, box.right, box.bottom, box.left),),
            meta=face.get("meta"),
            fields=fields | texts_of({name: face[name] for name in NAMES if face.get(name) is not None}),
            galleries=galleries,
            now=now,
            persons=self._persons.rule_of_posts(),
        )

    def _walk(self, owner: str, gallery: str, meta: str | None) -> Iterator[StoredFace]:
        bounds = Bounds()
        while ids := self._book.page(owner, gallery, bounds, _AT_ONCE, meta).ids:
            yield from (face for face in self._book.faces(owner, ids) if face)
            bounds = Bounds(below=ids[-1])


def _photo_hash(face: ExtractionFace | StoredFace) -> str:
    return face.image if isinstance(face, StoredFace) else str(face["photo_hash"])


def encoding_of(face: Probe) -> Encoding:
    """Raises ValueError for a face without one."""
    if isinstance(face, StoredFace):
        return face.face.encoding
    if isinstance(face, Seen):
        return face.encoding
    if isinstance(face, ExtractionFace):
        if face.get("facen") is None:
            raise ValueError("facen is missing: enrich the face first")
        found: Encoding = face["facen"]
        return found
    return face


def filter_of(filters: Filter | Mapping[str, Any]) -> Filter:
    """A function, or values that attributes of a `StoredFace` must have."""
    if not isinstance(filters, Mapping):
        return filters
    wanted = dict(filters)
    return lambda face: all(getattr(face, name) == value for name, value in wanted.items())


def _extracted(user: str, photo: bytes, face: Seen) -> ExtractionFace:
    box = face.box
    keys = {
        "bbox": {"x1": box.left, "y1": box.top, "x2": box.right, "y2": box.bottom},
        "normalized": face.chip or None,
        "facen": face.encoding,
        **dict.fromkeys(NAMES),
        "score": face.confidence,
        "photo_hash": image_hash(photo),
    }
    return ExtractionFace(user, photo, keys)


def _by_photo(faces: Sequence[ExtractionFace]) -> list[tuple[str, bytes, list[ExtractionFace]]]:
    """Each photo once, with its faces."""
    found: dict[tuple[str, bytes], list[ExtractionFace]] = {}
    for face in faces:
        found.setdefault((face.user, face.photo), []).append(face)
    return [(user, photo, some) for (user, photo), some in found.items()]
