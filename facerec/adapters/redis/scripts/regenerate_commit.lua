-- with: regenerate_shared
-- The atomic step of the rule for the set aside. ARGV: position, journal length, links kept, run, owner, p, hash, ticket, model,
-- SHA-1 of the records that it was made of, '1' when the image joins the crowd, '1' when the image is complete, counts
-- (moved, kept, unmoved, found), note or '', n, n records, m, m tickets of linked images.
-- Returns {'written', position}, {'moved', entries}, {'gap'}, {'obsolete'}, {'unknown', ticket}, {'importing'}, or
-- {'full', p, hash, ...}: these must join the crowd first. Nothing is written unless it is 'written'.
local position, length, kept, run, owner, p, hash, ticket, model, seen, crowded, complete, counts, note = unpack(ARGV, 1, 14)
if redis.call('EXISTS', 'import') == 1 then return {'importing'} end
local news = after_position(position)
if news then return news end
local at, records, links = 15, {}, {}
for i = 1, tonumber(ARGV[at]) do records[i] = ARGV[at + i] end
at = at + #records + 1
for i = 1, tonumber(ARGV[at]) do
  local found = redis.call('ZRANGEBYSCORE', p .. 'images', ARGV[at + i], ARGV[at + i])
  if not found[1] then return {'unknown', ARGV[at + i]} end
  links[i] = found[1]
end

local key, member, crowd = document(p, hash), p .. hash, p .. 'crowd:aside'
local doc = redis.call('HMGET', key, 'state', 'ticket')
local current = in_database(FACES, 'LRANGE', member, 0, -1)
local before = in_database(ASIDE_FACES, 'LRANGE', member, 0, -1)
if not own_of(run) or not aside_is_open() or redis.call('HGET', RUN, 'aside_model') ~= model or doc[1] ~= 'done'
   or doc[2] ~= ticket or not redis.call('ZSCORE', PENDING, member)
   or redis.sha1hex(table.concat(current) .. table.concat(before)) ~= seen then
  return {'obsolete'}
end

local full, joins = {}, crowded == '1'
for _, other in ipairs(links) do
  local has = in_database(ASIDE_LINKS, 'SISMEMBER', p .. other, hash) == 1
  if not has and in_database(ASIDE_LINKS, 'SCARD', p .. other) >= tonumber(kept) then
    if redis.call('ZSCORE', crowd, other) then
      joins = true
    else
      full[#full + 1] = p
      full[#full + 1] = other
    end
  end
end
if #full > 0 then return {'full', unpack(full)} end

unlink_aside(p, hash)
if joins then redis.call('ZADD', crowd, ticket, hash) end
for _, other in ipairs(links) do
  if not (joins and redis.call('ZSCORE', crowd, other)) then
    redis.call('SELECT', ASIDE_LINKS)
    redis.call('SADD', member, other)
    redis.call('SADD', p .. other, hash)
    redis.call('SELECT', OWN)
  end
end
redis.call('SELECT', ASIDE_FACES)
redis.call('DEL', member)
add_all('RPUSH', member, records)
redis.call('SELECT', OWN)
position = write_journal(length, 'aside', owner, hash, ticket, records)

uncount(p, hash)
local n = 0
for count in counts:gmatch('%d+') do
  n = n + 1
  redis.call('HINCRBY', RUN, COUNTED[n], count)
end
redis.call('HINCRBY', RUN, 'images', complete)
redis.call('HSET', key, 'regenerated', run .. ' ' .. counts .. ' ' .. complete)
if note == '' then redis.call('HDEL', NOTES, member) else redis.call('HSET', NOTES, member, note) end
redis.call('HDEL', 'regenerate:tries', member)
if complete == '1' then
  local values = {model, #records, position}
  for i, field in ipairs(FACTS) do
    if is_switched() then
      redis.call('HSET', key, 'other_' .. field, redis.call('HGET', key, field) or '', field, values[i])
    else
      redis.call('HSET', key, 'other_' .. field, values[i])
    end
  end
  redis.call('ZREM', PENDING, member)
else
  redis.call('ZADD', PENDING, PARKED, member)
end
return {'written', position}
