"""A plugin of the tests: goes through all that ``ctx`` offers and tells what came."""

from __future__ import annotations

from typing import Any

from facerec.errors import FacerecError
from facerec.plugins.context import ALL_USERS
from facerec.plugins.handlers import BaseHandler


class Walk(BaseHandler):
    async def post(self) -> Any:
        said: dict[str, Any] = {}
        camera = await self._cameras_and_galleries(said)
        face, stored = await self._faces(said, camera)
        await self._persons(said, camera, face, stored)
        await self._removals(said, camera, face, stored)
        await self.ctx.users.add({"_id": "new-owner", "token": self.parameters["token"]})
        return said

    async def _cameras_and_galleries(self, said: dict[str, Any]) -> Any:
        ctx, user = self.ctx, self.user
        await ctx.galleries.add(user, {"name": "guests"})
        said["galleries"] = [
            await ctx.galleries.find(user),
            await ctx.galleries.find_one(user, "none"),
            await ctx.galleries.count(user),
        ]
        camera = await ctx.cameras.add(user, {"meta": "door", "roi": [1, 2, 3, 4]})
        await ctx.cameras.update_one(user, camera["id"], meta="gate")
        said["camera"] = await ctx.cameras.find_one(user, camera.id)
        wrapped = await ctx.cameras.wrap_in_model({"a": 1})
        said["model"] = [wrapped.a, hasattr(wrapped, "b"), await ctx.faces.wrap_in_model(None)]
        said["indexes"] = [await store.ensure_indexes() for store in (ctx.faces, ctx.galleries, ctx.users)]
        return camera

    async def _faces(self, said: dict[str, Any], camera: Any) -> tuple[Any, Any]:
        ctx, user = self.ctx, self.user
        faces = await ctx.extractor.extract(user, self.files["photo"], age=True)
        said["age"] = [face.age for face in faces]
        await ctx.extractor.enrich(faces, facen=True, normalized=True, gender=True)
        face = faces[0]
        said["face"] = {name: face[name] for name in ("bbox", "gender", "emotions", "score", "photo_hash")}
        said["chip"] = face.normalized[:4].hex()
        said["nobody"] = [await ctx.persons.identify(user, face), len(await ctx.faces.identify(user, "default", face))]
        face.meta, face.galleries, face.cam_id = "Ann", ["guests"], camera["id"]
        stored = await ctx.faces.add(user, face)
        said["stored"] = {"id": stored.id, "meta": stored.meta, "galleries": stored.galleries}
        hits = await ctx.faces.identify(user, "guests", face, limit=10, threshold=0.75, ignore_errors=False)
        said["hits"] = [[hit.face.id, hit.confidence] for hit in hits]
        said["servers"] = [hits.live_servers, hits.total_servers]
        return face, stored

    async def _persons(self, said: dict[str, Any], camera: Any, face: Any, stored: Any) -> None:
        ctx, user = self.ctx, self.user
        person = await ctx.persons.identify(user, stored, "guests", 0.75, create=True)
        said["same"] = (
            person == await ctx.persons.identify(user, face) == (await ctx.faces.find_one(user, stored.id)).person
        )
        said["person"] = [
            await ctx.persons.update_one(user, person, meta="Ann"),
            await ctx.persons.faces(user, person) == [stored.id],
        ]
        bob = await ctx.persons.add(user, {"meta": "Bob"})
        await ctx.faces.update_one(user, stored.id, person_id=bob["id"])
        said["persons"] = [one["meta"] for one in await ctx.persons.find(user)]
        said["friend"] = [
            await ctx.persons.is_friend(user, bob["id"], camera["id"]),
            await ctx.persons.is_friend(user, None, "x"),
        ]
        said["others"] = [
            await ctx.faces.count(user) < await ctx.faces.count(ALL_USERS),
            await ctx.users.count(ALL_USERS) > 1,
        ]

    async def _removals(self, said: dict[str, Any], camera: Any, face: Any, stored: Any) -> None:
        ctx, user = self.ctx, self.user
        await ctx.faces.del_from_galleries(user, stored, ["guests"])
        said["left"] = [
            len(await ctx.faces.identify(user, "guests", face)),
            await ctx.faces.update_many(user, [stored.id, 5], meta="-"),
        ]
        said["removed"] = [
            await ctx.cameras.remove_one(user, camera["id"]),
            await ctx.galleries.remove_one(user, "guests"),
            await ctx.galleries.remove_one(user, "guests"),
            await ctx.faces.remove_one(user, stored.id),
            await ctx.faces.find_one(user, stored.id),
        ]


class Upload(BaseHandler):
    """Keeps pictures of a face that is not stored, and of one that is."""

    async def post(self) -> Any:
        ctx, user, photo = self.ctx, self.user, self.files["photo"]
        (face,) = await ctx.extractor.extract(user, photo, normalized=True)
        key = await ctx.faces.gen_ffupload_key(user, face)
        norm = await ctx.faces.gen_ffupload_key(user, face, "norm")
        urls = [
            await ctx.faces.upload(user, key, photo),
            await ctx.faces.upload(user, norm, face.normalized),
            await ctx.faces.upload_thumbnail(user, face),
        ]
        face["_id"] = 5
        stored = await ctx.faces.add(user, await ctx.faces.regenerate_id(face))
        urls.append(await ctx.faces.upload_thumbnail(user, stored))
        refused = []
        for wrong in (
            ctx.faces.upload(user, key.replace(user, "somebody"), photo),
            ctx.faces.upload(user, f"{user}/../x", photo),
            ctx.faces.upload(user, key, b"no picture"),
            ctx.faces.gen_ffupload_key(user, face, "film"),
        ):
            try:
                await wrong
            except (FacerecError, ValueError) as error:
                refused.append(type(error).__name__)
        return {"id": stored.id, "urls": urls, "refused": refused}

    async def delete(self) -> Any:
        (face,) = await self.ctx.extractor.extract(self.user, self.files["photo"])
        return {"removed": await self.ctx.faces.remove_uploads(self.user, face)}


class Refused(BaseHandler):
    async def post(self) -> Any:
        ctx, user = self.ctx, self.user
        (face,) = await ctx.extractor.extract(user, self.files["photo"])
        refused = []
        for wrong in (
            ctx.galleries.add(user, {"name": "a b"}),
            ctx.galleries.add(user, {}),
            ctx.persons.add(user, {}),
            ctx.users.add({"_id": "x"}),
            ctx.users.add({"_id": "x", "token": "AB12-CD34"}),
            ctx.counters.next(""),
            ctx.persons.identify(user, face, create=True),
            ctx.faces.add(user, face | {"_id": 1}),
            ctx.cameras.add(user, {"meta": 5}),
            ctx.cameras.add(user, {"id": "no uuid"}),
            ctx.extractor.enrich([face], shoe_size=True),
        ):
            try:
                await wrong
            except (FacerecError, ValueError, TypeError) as error:
                refused.append(type(error).__name__)
        return refused


def activate(app: Any, ctx: Any, options: Any) -> None:
    app.add_handlers(".*", [(r"/context", Walk), (r"/context/refused", Refused), (r"/context/upload", Upload)])
