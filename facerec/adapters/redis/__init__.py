"""Redis as the store: the only package that imports the client library."""

from facerec.adapters.redis.admissions import RedisAdmissions
from facerec.adapters.redis.archive import RedisArchive
from facerec.adapters.redis.audit import RedisAudit
from facerec.adapters.redis.changes import RedisChanges
from facerec.adapters.redis.commits import RedisCommits
from facerec.adapters.redis.connection import RedisDatabases
from facerec.adapters.redis.contacts import RedisContactAnswers
from facerec.adapters.redis.errands import RedisErrands
from facerec.adapters.redis.findface import RedisFaceBook
from facerec.adapters.redis.findface_sets import RedisGallerySets
from facerec.adapters.redis.journal import RedisJournal
from facerec.adapters.redis.letters import RedisLetterIndex
from facerec.adapters.redis.overview import RedisOverview
from facerec.adapters.redis.people import RedisPeople
from facerec.adapters.redis.people_grouping import RedisGrouping
from facerec.adapters.redis.rates import RedisRates
from facerec.adapters.redis.regeneration import RedisAside, RedisRegeneration
from facerec.adapters.redis.repairs import RedisRepairs
from facerec.adapters.redis.restoration import RedisRestoration
from facerec.adapters.redis.schema import RedisSchema, redis_steps
from facerec.adapters.redis.sessions import RedisSessions
from facerec.adapters.redis.tokens import RedisTokens
from facerec.adapters.redis.webhooks import RedisWebhooks
from facerec.adapters.redis.whereabouts import RedisWhereabouts
from facerec.adapters.redis.workers import RedisWorkers

__all__ = [
    "RedisAdmissions",
    "RedisArchive",
    "RedisAside",
    "RedisAudit",
    "RedisChanges",
    "RedisCommits",
    "RedisContactAnswers",
    "RedisDatabases",
    "RedisErrands",
    "RedisFaceBook",
    "RedisGallerySets",
    "RedisGrouping",
    "RedisJournal",
    "RedisLetterIndex",
    "RedisOverview",
    "RedisPeople",
    "RedisRates",
    "RedisRegeneration",
    "RedisRepairs",
    "RedisRestoration",
    "RedisSchema",
    "RedisSessions",
    "RedisTokens",
    "RedisWebhooks",
    "RedisWhereabouts",
    "RedisWorkers",
    "redis_steps",
]
