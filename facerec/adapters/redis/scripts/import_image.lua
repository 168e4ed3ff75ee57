-- Write an image of an archive in one step. ARGV: owner, p, hash, ticket, n, n fields and values of its document,
-- m, m names and tickets, k, k records, l, l hashes of linked images. Returns 1, or 0 when there is such an image.
local owner, p, hash, ticket = unpack(ARGV, 1, 4)
local at = 4
local function arguments(each)
  at = at + 1
  local count = tonumber(ARGV[at]) * each
  local list = {}
  for i = 1, count do list[i] = ARGV[at + i] end
  at = at + count
  return list
end
local doc, names, records, links = arguments(2), arguments(2), arguments(1), arguments(1)
local key = document(p, hash)
if redis.call('EXISTS', key) == 1 then return 0 end

in_chunks('HSET', key, doc)
local state = redis.call('HGET', key, 'state')
redis.call('ZADD', p .. 'images', ticket, hash)
redis.call('SADD', 'owners', owner)
if state ~= 'done' then redis.call('ZADD', p .. 'state:' .. state, ticket, hash) end
advance_counter(ticket)
for i = 1, #names, 2 do
  redis.call('HSET', p .. 'names:' .. hash, names[i], names[i + 1])
  advance_counter(names[i + 1])
  if state == 'done' then publish_name(p, hash, names[i]) else note_open_name(p, hash, names[i]) end
end
redis.call('SELECT', FACES)
in_chunks('RPUSH', p .. hash, records)
redis.call('SELECT', OWN)
for _, other in ipairs(links) do
  if redis.call('HGET', document(p, other), 'state') == 'done' then
    in_database(LINKS, 'SADD', p .. hash, other)
    in_database(LINKS, 'SADD', p .. other, hash)
  end
end
announce(owner, hash, state)
return 1
