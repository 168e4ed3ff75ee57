"""What is where in Redis. The layout is public: people look at it with redis-cli.

====  ==========  =======  =================================================================================
db    key         type     holds
====  ==========  =======  =================================================================================
1     name        string   hash of the newest image of that name
2     image hash  set      its names
3     image hash  list     its face records (`facerec.records`); no key when it has no face
4     image hash  set      hashes of the images with a matching face; no key when there is none; of an image in the crowd
                           only the images outside of it
5, 6  image hash  as 3, 4  the set of faces and links aside (`facerec.adapters.redis.regeneration`); else empty
0     see below            everything of ours
====  ==========  =======  =================================================================================

Databases 1 to 4 hold finished images only. When an image has very many names, some may lead to it for a moment after it was
erased or found to be damaged (``withdrawn``), and some may be missing in databases 1 and 2 for a moment after it was finished.
The keys of the default owner are as above; those of another owner begin with its name and the control character 0x1F, which no
name may contain. In database 0, ``{p}`` being that beginning:

=====================  ======  =========================================================================================
key                    type    holds
=====================  ======  =========================================================================================
{p}image:<hash>        hash    the image document: state, ticket, queued_at, done_at, attempts, width, height, model, faces,
                               position; claim and claim_until (which job works on it, and for how long unless it is renewed);
                               interactive (the ticket of a claim by a request that a person waits for); code, reason,
                               failed_ticket; announced (the ticket of the newest job);
                               posted when the image came by POST /face;
                               removed (`facerec.removed`): where faces were that somebody removed
{p}names:<hash>        hash    name -> ticket of the newest upload under that name, also while not done
{p}withdrawn:<hash>    hash    the same of an image that was erased, or taken out by a repair, while they still lead to it
                               (`facerec.adapters.redis.names`)
{p}holders:<name>      zset    hashes of all images that bear the name, by ticket; only when there are several
{p}images              zset    all image hashes by the ticket that first announced them
{p}names               zset    all names of finished images, in the order of their letters
{p}state:<state>       zset    hashes of the images that are queued, processing or failed, by ticket
images:queued          zset    {p}<hash> of the images that are queued, by the time since when; some may be no longer
{p}crowd               zset    by ticket, the images with more matches than LINKS_KEPT, or with a match whose room is full: no
                               link is kept between two of them (`facerec.adapters.redis.crowd`)
crowd:since            string  since when nobody left a crowd but by erasure: what workers remember of crowds counts while this is
                               the same
{p}erased:<hash>       string  the newest ticket at the time of erasure: older jobs are dropped; expires
pictures:erased        hash    {p}<hash> -> the same ticket, until the image's pictures are gone from the image store
{p}webhook             hash    url and secret; last_at, last_status and last_error of the last call
webhooks:due           zset    {p}<state>:<hash> that the owner is to be told of, by the time when, until a worker sees it
{p}webhook:calls       zset    the same from then on, by the time when it is due (again)
webhooks:waiting       zset    {p} of owners that have such, by the time when it is their turn
webhooks:tries         hash    {p}<state>:<hash> -> how often it was tried, and the number of the newest try
webhooks:claims        string  counter of tries
dead, {p}dead:...      many    which dead letters there are: see `facerec.adapters.redis.letters`
errand:<name>          string  a periodic errand of the workers was begun; expires when it is due again
{p}unfinished:names    zset    name, 0x1F, image hash: the names of images that are not finished, in the order of their letters; a
                               release that does not know it writes none, so some may be missing
unfinished             zset    by the time when it was begun, what takes several steps: {p}names:<hash> of an image whose names
                               are being published or withdrawn, {p}gallery:<name> of a gallery that is being removed,
                               {p}people:showing
ticket                 string  the newest ticket of an upload: milliseconds since 2026, one more than the last where that is ahead
journal                stream  changes of the set of known faces, ids <position>-0; trimmed; op is add, remove, aside, open,
                               switch, close (`facerec.ports.JournalEntry`), or after a repair reload: what is known may be
                               wrong, load everything anew
journal:position       string  where the journal ends
owners                 set     owners that have images
model                  string  number of the model of databases 3 and 4, once a regeneration has fixed it; until then each
                               worker's own decides
regenerate, ...        many    moving to another model: see `facerec.adapters.redis.regeneration`
import                 string  an import is running: nobody commits
schema                 string  number of this layout (`facerec.services.migration`); none means 1
face, gallery, ...     many    faces in galleries, persons, cameras: see `facerec.adapters.redis.findface`
tokens                 hash    SHA-256 of a token -> {"owner", "created_at", "note"}
rate:<caller>          string  when the bucket of a token, or of the sessions of an owner, is full again; expires
session:<sha256>       string  a browser's session at the page: SHA-256 of the token that opened it; expires
people, grouping, ...  many    persons: see `facerec.adapters.redis.people`
contact, contacts      many    contacts: see `facerec.adapters.redis.contacts`
workers                set     names of the workers that live, or lived lately
worker:<name>          string  what a living worker says of itself, JSON; expires
=====================  ======  =========================================================================================

Channel ``events`` of publish/subscribe: ``{"owner", "hash", "state"}`` after each change of state.
"""

from __future__ import annotations

from facerec.identity import DEFAULT_OWNER, check_owner

OWN, NAME_TO_HASH, HASH_TO_NAMES, FACES, LINKS, ASIDE_FACES, ASIDE_LINKS = 0, 1, 2, 3, 4, 5, 6
SEPARATOR = "\x1f"
STATES = ("queued", "processing", "done", "failed")
EVENTS = "events"
SWITCHED = "regenerate:switched"
"""Exists while databases 3 and 4 hold the new set of a regeneration, and 5 and 6 the old one."""
JOURNAL_LENGTH = 20_000
"""Entries kept in the journal: what a worker may fall behind before it has to load everything anew."""
LINKS_KEPT = 256
"""The most links kept for one image. A link takes about 90 bytes in each direction, so this is what bounds database 4 and
the length of every step that writes to it; docs/capacity.md has the numbers."""
ERASED_SECONDS = 30 * 24 * 3600


def prefix(owner: str) -> str:
    """What the keys of ``owner`` begin with. Raises BadParam for what is no owner: it would lead to keys of others."""
    return "" if owner == DEFAULT_OWNER else check_owner(owner) + SEPARATOR


def owner_and_rest(key: str) -> tuple[str, str]:
    """The owner of a key that begins with its `prefix`, and what comes after."""
    owner, separator, rest = key.rpartition(SEPARATOR)
    return (owner, rest) if separator else (DEFAULT_OWNER, rest)
