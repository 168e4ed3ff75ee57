-- with: regenerate_shared
-- A worker has an image in hand. ARGV: run, p, hash. Returns {} when there is nothing to do, else {ticket, model of the image's
-- document, model of the set aside, parts, shares, skip, SHA-1 of all records, records, records aside, image's size}.
local run, p, hash = unpack(ARGV)
if not own_of(run) or not aside_is_open() or not redis.call('ZSCORE', PENDING, p .. hash) then return {} end
local doc = redis.call('HMGET', document(p, hash), 'state', 'ticket')
if doc[1] ~= 'done' then
  redis.call('ZREM', PENDING, p .. hash)
  return {}
end
local settings = redis.call('HMGET', RUN, 'aside_model', 'parts', 'shares', 'skip')
local records = in_database(FACES, 'LRANGE', p .. hash, 0, -1)
local aside = in_database(ASIDE_FACES, 'LRANGE', p .. hash, 0, -1)
local seen = redis.sha1hex(table.concat(records) .. table.concat(aside))
return {doc[2], (current_facts(p, hash)) or settings[1], settings[1], settings[2], settings[3], settings[4], seen, records, aside}
