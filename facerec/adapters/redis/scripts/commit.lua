-- with: findface_shared
-- The atomic step of the rule. ARGV: position, now, journal length, links kept, number of images, then for each image:
-- owner, p, hash, image ticket, job ticket, width, height, model, '1' when it joins the crowd, n, n records,
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

local images, obsolete = {}, {}
for i = 1, tonumber(ARGV[5]) do
  local image = {owner = argument(), p = argument(), hash = argument(), ticket = argument(), job = argument(),
                 width = argument(), height = argument(), model = argument(), crowded = argument() == '1',
                 records = arguments(), links = arguments(), enrolment = argument()}
  local state = redis.call('HGET', document(image.p, image.hash), 'state')
  if not state or state == 'done' or is_erased(image.p, image.hash, image.job) then
    obsolete[#obsolete + 1] = image.owner
    obsolete[#obsolete + 1] = image.hash
  end
  for k, ticket in ipairs(image.links) do
    local found = redis.call('ZRANGEBYSCORE', image.p .. 'images', ticket, ticket)
    if not found[1] then return {'unknown', ticket} end
    image.links[k] = found[1]
  end
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
local function make_room(image)
  for _, other in ipairs(image.links) do
    if not has_room(image.p .. other) then
      if #images > 1 then return false end
      if redis.call('ZSCORE', image.p .. 'crowd', other) then
        image.crowded = true
      else
        full[#full + 1] = image.p
        full[#full + 1] = other
      end
    end
  end
  return #image.links <= kept
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

local function write_faces(image)
  local key, links = image.p .. image.hash, links_to_keep(image)
  redis.call('SELECT', FACES)
  redis.call('DEL', key)
  in_chunks('RPUSH', key, image.records)
  redis.call('SELECT', LINKS)
  in_chunks('SADD', key, links)
  for _, other in ipairs(links) do redis.call('SADD', image.p .. other, image.hash) end
  redis.call('SELECT', OWN)
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
  write_faces(image)
  publish_names(image)
  if #image.records > 0 then
    last = write_journal(length, 'add', image.owner, image.hash, image.ticket, image.records)
  end
  list_faces(image)
  local key = document(image.p, image.hash)
  redis.call('HSET', key, 'width', image.width, 'height', image.height, 'model', image.model,
             'faces', #image.records, 'done_at', seconds_text(now), 'position', last)
  redis.call('HDEL', key, 'claim', 'claim_until', 'interactive', 'code', 'reason', 'failed_ticket')
  owe_aside(image.p, image.hash)
  set_state(image.owner, image.p, image.hash, 'done')
end
return {'written', last, unpack(unpublished)}
