-- All that is stored of one image. ARGV: owner, p, hash. Returns {document, names, records, links, 1 when in the crowd, person
-- of each face}, or {} when unknown. The names are false when they are too many for one step.
local _, p, hash = unpack(ARGV)
local doc = current_document(p, hash)
if #doc == 0 then return {} end
local names = false
if redis.call('HLEN', p .. 'names:' .. hash) <= NAMES_READ then names = redis.call('HKEYS', p .. 'names:' .. hash) end
redis.call('SELECT', FACES)
local records = redis.call('LRANGE', p .. hash, 0, -1)
redis.call('SELECT', LINKS)
local links = redis.call('SMEMBERS', p .. hash)
redis.call('SELECT', OWN)
local persons = {}
for i, record in ipairs(records) do persons[i] = redis.call('HGET', p .. 'faces:person', face_of(record)) or '' end
return {doc, names, records, links, redis.call('ZSCORE', p .. 'crowd', hash) and 1 or 0, persons}
