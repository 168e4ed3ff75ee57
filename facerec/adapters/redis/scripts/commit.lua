-- with: findface_shared
-- The atomic step of the rule. ARGV: position, now, journal length, links kept, number of images, then for each image:
-- owner, p, hash, image ticket, job ticket, width, height, model, flags (1 when it joins the crowd, and 2 when it is done and the
-- records are faces that come back to it), n, n records,
-- m, m tickets of linked images (of an image that joins the crowd those that are not in it), enrolment.
-- Returns {'written', position, owner, hash, ...}: the names of these images are still to be published,
-- {'moved', entries after the position}, {'obsolete', owner, hash, ...}, {'gap'},
-- {'unknown', ticket}, {'split'}: write these images one by one, {'full', p, hash, ...}: these must join the crowd first.
-- {'importing'}, or {'held'}: the sets of faces are about to be switched. Nothing is written unless it is 'written'.
local position, now, length, kept = ARGV[1], time_or(ARGV[2]), ARGV[3], tonumber(ARGV[4])
if redis.call('EXISTS', 'import') == 1 then return {'importing'} end
if redis.call('EXISTS', BARRIER) == 1 then return {'held'} end
local last, news = position, after_position(position)
if news then return news end

local at = 5
local function argument()
  at = at + 1
  return ARGV[at]
end
local function arguments()
  local list = {}
  for i = 1, tonumber(argument()) do list[i] = argument() end
  return list
end

-- The faces that an image has already: none, unless others come back to it.
local function known_records(image) return image.restored and in_database(FACES, 'LRANGE', image.p .. image.hash, 0, -1) or {} end
local function in_crowd(image, hash) return redis.call('ZSCORE', image.p .. 'crowd', hash) end

local function is_obsolete(image)
  local doc = redis.call('HMGET', document(image.p, image.hash), 'state', 'ticket')
  if not doc[1] or (doc[1] == 'done') ~= image.restored or is_erased(image.p, image.hash, image.job) then return true end
  if not image.restored then return false end
  local coming = {}
  for _, record in ipairs(image.records) do coming[face_of(record)] = true end
  for _, record in ipairs(known_records(image)) do
    if coming[face_of(record)] then return true end
  end
  return doc[2] ~= image.ticket
end

-- The links that an image has not yet.
local function new_links(image)
  if not image.restored then return image.links end
  local links = {}
  for _, other in ipairs(image.links) do
    if in_database(LINKS, 'SISMEMBER', image.p .. image.hash, other) == 0 then links[#links + 1] = other end
  end
  return links
end

local images, obsolete = {}, {}
for i = 1, tonumber(ARGV[5]) do
  local image = {owner = argument(), p = argument(), hash = argument(), ticket = argument(), job = argument(),
                 width = argument(), height = argument(), model = argument(), flags = tonumber(argument()),
                 records = arguments(), links = arguments(), enrolment = argument()}
  image.crowded, image.restored = image.flags % 2 == 1, image.flags >= 2
  if is_obsolete(image) then
    obsolete[#obsolete + 1] = image.owner
    obsolete[#obsolete + 1] = image.hash
  end
  for k, ticket in ipairs(image.links) do
    local found = redis.call('ZRANGEBYSCORE', image.p .. 'images', ticket, ticket)
    if not found[1] then return {'unknown', ticket} end
    image.links[k] = found[1]
  end
  image.links = new_links(image)
  images[i] = image
end
if #obsolete > 0 then return {'obsolete', unpack(obsolete)} end

-- A link is kept unless both images are in the crowd. An image with more links than are kept joins it; so does one with a
-- link to a member that has no room. Images that come together fill each other's room; when it is scarce they come one by one.
local added, full = {}, {}
local function has_room(key)
  added[key] = (added[key] or 0) + 1
  return in_database(LINKS, 'SCARD', key) + added[key] <= kept
end
local function must_join(image, hash)
  full[#full + 1] = image.p
  full[#full + 1] = hash
end
-- An image to which faces come back has links. It joins by crowd.lua, which takes out those that are not kept then.
local function make_own_room(image)
  local room, member = kept - in_database(LINKS, 'SCARD', image.p .. image.hash), in_crowd(image, image.hash)
  if not member and (image.crowded or #image.links > room) then return must_join(image, image.hash) end
  image.crowded = member
  for _, other in ipairs(member and #image.links > room and image.links or {}) do
    if not in_crowd(image, other) then room = room - 1 end
    if room < 0 and not in_crowd(image, other) then must_join(image, other) end
  end
end
local function make_room(image)
  if image.restored and #images > 1 then return false end
  for _, other in ipairs(image.links) do
    if not has_room(image.p .. other) then
      if #images > 1 then return false end
      if in_crowd(image, other) then image.crowded = true else must_join(image, other) end
    end
  end
  if not image.restored then return #image.links <= kept end
  make_own_room(image)
  return true
end
for _, image in ipairs(images) do
  if not make_room(image) then return {'split'} end
end
if #full > 0 then return {'full', unpack(full)} end

local function links_to_keep(image)
  if not image.crowded then return image.links end
  redis.call('ZADD', image.p .. 'crowd', image.ticket, image.hash)
  local links = {}
  for _, other in ipairs(image.links) do
    if not redis.call('ZSCORE', image.p .. 'crowd', other) then links[#links + 1] = other end
  end
  return links
end

-- The records of an image in the order of their face ids.
local function all_records(image)
  local records = known_records(image)
  for _, record in ipairs(image.records) do records[#records + 1] = record end
  table.sort(records, function(one, other)
    local low, high = struct.unpack('<I4I4', one, 5)
    local other_low, other_high = struct.unpack('<I4I4', other, 5)
    return high < other_high or (high == other_high and low < other_low)
  end)
  return records
end

local function write_faces(image)
  local key, links = image.p .. image.hash, links_to_keep(image)
  local records = image.restored and all_records(image) or image.records
  redis.call('SELECT', FACES)
  redis.call('DEL', key)
  in_chunks('RPUSH', key, records)
  redis.call('SELECT', LINKS)
  in_chunks('SADD', key, links)
  for _, other in ipairs(links) do redis.call('SADD', image.p .. other, image.hash) end
  redis.call('SELECT', OWN)
  return #records
end

-- Faces came back to an image: it says so.
local function note_restored(image, faces)
  local key, coming, left = document(image.p, image.hash), {}, {}
  for _, record in ipairs(image.records) do coming[face_of(record)] = true end
  for entry in (redis.call('HGET', key, 'removed') or ''):gmatch('[^,]+') do
    if not coming[entry:match('^[^:]*')] then left[#left + 1] = entry end
  end
  if #left > 0 then redis.call('HSET', key, 'removed', table.concat(left, ',')) else redis.call('HDEL', key, 'removed') end
  set_current(image.p, image.hash, 'faces', faces)
  set_current(image.p, image.hash, 'position', last)
end

-- An image that was sent under very many names before it was finished gets them afterwards, some at a time.
local to_publish, unpublished = NAMES_AT_ONCE, {}
local function publish_names(image)
  local key = image.p .. 'names:' .. image.hash
  to_publish = to_publish - redis.call('HLEN', key)
  if to_publish < 0 then
    unpublished[#unpublished + 1] = image.owner
    unpublished[#unpublished + 1] = image.hash
    note_unfinished(key)
    return
  end
  for _, name in ipairs(redis.call('HKEYS', key)) do publish_name(image.p, image.hash, name) end
end

for _, image in ipairs(images) do
  local faces = write_faces(image)
  publish_names(image)
  if #image.records > 0 then
    last = write_journal(length, 'add', image.owner, image.hash, image.ticket, image.records)
  end
  list_faces(image)
  -- As the image was, the set aside may have the faces under other ids. Who committed this reads of it with what comes next.
  if image.restored and withdraw_aside(image.p, image.hash) > 0 then
    write_journal(length, 'aside', image.owner, image.hash, image.ticket, {})
  end
  owe_aside(image.p, image.hash)
  if image.restored then
    note_restored(image, faces)
  else
    local key = document(image.p, image.hash)
    redis.call('HSET', key, 'width', image.width, 'height', image.height, 'model', image.model,
               'faces', faces, 'done_at', seconds_text(now), 'position', last)
    redis.call('HDEL', key, 'claim', 'claim_until', 'interactive', 'code', 'reason', 'failed_ticket', 'removed')
    set_state(image.owner, image.p, image.hash, 'done')
  end
end
return {'written', last, unpack(unpublished)}
