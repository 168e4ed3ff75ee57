-- with: regenerate_shared
-- The atomic step of the rule for the set aside. ARGV: position, journal length, links kept, and for each of some images: run,
-- owner, p, hash, ticket, model, SHA-1 of the records that it was made of, '1' when the image joins the crowd, '1' when the image
-- is complete, counts (moved, kept, unmoved, found), note or '', n, n records, m, m tickets of linked images.
-- Returns what became of each image: {'written', position}, {'moved', entries}, {'gap'}, {'obsolete'}, {'unknown', ticket},
-- {'importing'}, or {'full', p, hash, ...}: these must join the crowd first. One that is not written is the last that is tried: the
-- links of those behind it were made as if it were there.
local position, length, kept = unpack(ARGV, 1, 3)
kept = tonumber(kept)
local switched = is_switched()

-- The hashes of images by their tickets, or nil and the ticket that is unknown.
local function hashes_of(p, first, last)
  local found, images = {}, p .. 'images'
  for at = first, last do
    local hash = redis.call('ZRANGEBYSCORE', images, ARGV[at], ARGV[at])[1]
    if not hash then return nil, ARGV[at] end
    found[#found + 1] = hash
  end
  return found
end

local function is_obsolete(run, p, hash, ticket, model, seen)
  local doc, member = redis.call('HMGET', document(p, hash), 'state', 'ticket'), p .. hash
  if not own_of(run) or not aside_is_open() or redis.call('HGET', RUN, 'aside_model') ~= model or doc[1] ~= 'done'
     or doc[2] ~= ticket or not redis.call('ZSCORE', PENDING, member) then
    return true
  end
  local current = in_database(FACES, 'LRANGE', member, 0, -1)
  local before = in_database(ASIDE_FACES, 'LRANGE', member, 0, -1)
  return redis.sha1hex(table.concat(current) .. table.concat(before)) ~= seen
end

-- Which of the linked images have as many links as are kept, but for this one, and are not in the crowd (p and hash of each), and
-- whether one is in it.
local function full_ones(p, hash, links)
  local many, full, crowded = {}, {}, false
  redis.call('SELECT', ASIDE_LINKS)
  for _, other in ipairs(links) do
    if redis.call('SCARD', p .. other) >= kept and redis.call('SISMEMBER', p .. other, hash) == 0 then many[#many + 1] = other end
  end
  redis.call('SELECT', OWN)
  for _, other in ipairs(many) do
    if redis.call('ZSCORE', p .. 'crowd:aside', other) then
      crowded = true
    else
      full[#full + 1] = p
      full[#full + 1] = other
    end
  end
  return full, crowded
end

local function link(p, hash, links, joins)
  local linked = links
  if joins then
    linked = {}
    for _, other in ipairs(links) do
      if not redis.call('ZSCORE', p .. 'crowd:aside', other) then linked[#linked + 1] = other end
    end
  end
  redis.call('SELECT', ASIDE_LINKS)
  in_chunks('SADD', p .. hash, linked)
  for _, other in ipairs(linked) do redis.call('SADD', p .. other, hash) end
  redis.call('SELECT', OWN)
end

local function note_counts(run, p, hash, counts, complete)
  uncount(p, hash)
  local n = 0
  for count in counts:gmatch('%d+') do
    n = n + 1
    if count ~= '0' then redis.call('HINCRBY', RUN, COUNTED[n], count) end
  end
  redis.call('HINCRBY', RUN, 'images', complete)
  redis.call('HSET', document(p, hash), 'regenerated', run .. ' ' .. counts .. ' ' .. complete)
end

local function note_facts(p, hash, values)
  local key = document(p, hash)
  for i, field in ipairs(FACTS) do
    if switched then
      redis.call('HSET', key, 'other_' .. field, redis.call('HGET', key, field) or '', field, values[i])
    else
      redis.call('HSET', key, 'other_' .. field, values[i])
    end
  end
end

-- Write the image whose arguments begin at ``at``; what became of it, and where the next one's begin.
local function put(at)
  local run, owner, p, hash, ticket, model, seen, crowded, complete, counts, note, count = unpack(ARGV, at, at + 11)
  local records, first = {}, at + 13 + tonumber(count)
  for i = 1, tonumber(count) do records[i] = ARGV[at + 11 + i] end
  local last = first - 1 + tonumber(ARGV[first - 1])
  local links, unknown = hashes_of(p, first, last)
  if not links then return {'unknown', unknown} end
  if is_obsolete(run, p, hash, ticket, model, seen) then return {'obsolete'} end
  local full, joins = full_ones(p, hash, links)
  if #full > 0 then return {'full', unpack(full)} end
  joins = joins or crowded == '1'

  local member = p .. hash
  unlink_aside(p, hash)
  if joins then redis.call('ZADD', p .. 'crowd:aside', ticket, hash) end
  link(p, hash, links, joins)
  redis.call('SELECT', ASIDE_FACES)
  redis.call('DEL', member)
  in_chunks('RPUSH', member, records)
  redis.call('SELECT', OWN)
  position = write_journal(length, 'aside', owner, hash, ticket, records)
  note_counts(run, p, hash, counts, complete)
  if note == '' then redis.call('HDEL', NOTES, member) else redis.call('HSET', NOTES, member, note) end
  redis.call('HDEL', 'regenerate:tries', member)
  if complete == '1' then
    note_facts(p, hash, {model, #records, position})
    redis.call('ZREM', PENDING, member)
  else
    redis.call('ZADD', PENDING, PARKED, member)
  end
  return {'written', position}, last + 1
end

if redis.call('EXISTS', 'import') == 1 then return {{'importing'}} end
local news = after_position(position)
if news then return {news} end
local replies, at = {}, 4
while at and at <= #ARGV do
  replies[#replies + 1], at = put(at)
end
return replies
