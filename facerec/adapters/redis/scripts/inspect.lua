-- Hold one image against every invariant that needs no distances, in one step. ARGV: owner, p, hash, links kept.
-- Returns {journal position, state, ticket, crowded, faults, records, links}: faults are {kind, subject, detail}, links are
-- {hash, ticket}. Nothing is written.
local owner, p, hash, kept = unpack(ARGV)
local faults = {}
local function fault(kind, subject, detail) faults[#faults + 1] = {kind, subject, detail} end

local fields = redis.call('HGETALL', document(p, hash))
local doc = {}
for i = 1, #fields, 2 do doc[fields[i]] = fields[i + 1] end
local state, ticket = doc.state or '', doc.ticket or ''
local crowded = redis.call('ZSCORE', p .. 'crowd', hash)
local position = redis.call('GET', 'journal:position') or '0'

local function check_document()
  if not KNOWN_STATES[state] then fault('document', hash, 'its state is ' .. (doc.state or 'missing')) end
  if not tonumber(ticket) then
    fault('document', hash, 'its ticket is ' .. (doc.ticket or 'missing'))
  elseif tonumber(redis.call('ZSCORE', p .. 'images', hash) or 0) ~= tonumber(ticket) then
    fault('document', hash, 'the list of images has it under another ticket or not at all')
  end
  if redis.call('SISMEMBER', 'owners', owner) == 0 then fault('document', hash, 'its owner is not among the owners') end
  if tonumber(ticket) and tonumber(ticket) > tonumber(redis.call('GET', 'ticket') or 0) then
    fault('counter', 'ticket', 'the counter of tickets is behind ' .. ticket)
  end
  for _, other in ipairs(OPEN_STATES) do
    local score = redis.call('ZSCORE', p .. 'state:' .. other, hash)
    if state == other and not score then fault('state', hash, 'is not in the list of ' .. other) end
    if state == other and score and tonumber(score) ~= tonumber(ticket) then
      fault('state', hash, 'has another ticket in the list of ' .. other)
    end
    if state ~= other and score then fault('state', hash, 'is ' .. state .. ', but in the list of ' .. other) end
  end
end

-- The name of a finished image leads to the newest image of that name, and back.
local function check_name(name, upload)
  local current = in_database(NAME_TO_HASH, 'GET', p .. name)
  local holders = p .. 'holders:' .. name
  if in_database(HASH_TO_NAMES, 'SISMEMBER', p .. hash, name) == 0 then
    fault('name', name, 'database 2 does not have it for ' .. hash)
  end
  if not current then return fault('name', name, 'database 1 does not have it') end
  if not redis.call('ZSCORE', p .. 'names', name) then fault('name', name, 'is not in the list of names') end
  if redis.call('EXISTS', holders) == 0 then
    if current ~= hash then fault('name', name, hash .. ' and ' .. current .. ' both bear it, but nothing says so') end
    return
  end
  if tonumber(redis.call('ZSCORE', holders, hash) or 0) ~= tonumber(upload) then
    fault('name', name, hash .. ' is not among its holders, or with another ticket')
  end
  if redis.call('ZREVRANGE', holders, 0, 0)[1] ~= current then
    fault('name', name, 'database 1 does not lead to the newest of its holders')
  end
end

local function check_names()
  local names = {}
  local known = redis.call('HGETALL', p .. 'names:' .. hash)
  for i = 1, #known, 2 do
    names[known[i]] = true
    check_name(known[i], known[i + 1])
  end
  for _, name in ipairs(in_database(HASH_TO_NAMES, 'SMEMBERS', p .. hash)) do
    if not names[name] then fault('name', name, 'only database 2 has it for ' .. hash) end
  end
end

local function check_links()
  if in_database(LINKS, 'SCARD', p .. hash) > 4 * tonumber(kept) then
    fault('link', '', 'database 4 has far more than ' .. kept .. ' links')
    return {}
  end
  local links = {}
  for i, other in ipairs(in_database(LINKS, 'SMEMBERS', p .. hash)) do
    local known = redis.call('HMGET', document(p, other), 'state', 'ticket')
    links[i] = {other, known[2] or '0'}
    if other == hash then
      fault('link', other, 'it is linked to itself')
    elseif known[1] ~= 'done' then
      fault('link', other, 'it is linked to an image that is not done')
    elseif in_database(LINKS, 'SISMEMBER', p .. other, hash) == 0 then
      fault('link', other, 'the other image has no link back')
    elseif crowded and redis.call('ZSCORE', p .. 'crowd', other) then
      fault('link', other, 'both are in the crowd, whose links are not kept')
    end
  end
  return links
end

local function check_nothing_of_it_is_finished()
  for database = HASH_TO_NAMES, LINKS do
    if in_database(database, 'EXISTS', p .. hash) == 1 then
      fault('residue', hash, 'it is not done, but database ' .. database .. ' has it')
    end
  end
  for _, name in ipairs(redis.call('HKEYS', p .. 'names:' .. hash)) do
    if in_database(NAME_TO_HASH, 'GET', p .. name) == hash or redis.call('ZSCORE', p .. 'holders:' .. name, hash) then
      fault('name', name, 'leads to an image that is not done')
    end
  end
  if crowded then fault('residue', hash, 'it is not done, but in the crowd') end
end

if #fields == 0 then
  local listed = crowded or redis.call('ZSCORE', p .. 'images', hash)
  for _, other in ipairs(OPEN_STATES) do listed = listed or redis.call('ZSCORE', p .. 'state:' .. other, hash) end
  if listed then fault('document', hash, 'a list has it, but there is no document') end
  return {position, '', '', crowded and 1 or 0, faults, {}, {}}
end
check_document()
if state ~= 'done' then
  check_nothing_of_it_is_finished()
  return {position, state, ticket, 0, faults, {}, {}}
end
check_names()
local records = in_database(FACES, 'LRANGE', p .. hash, 0, -1)
local _, said = current_facts(p, hash)
if tonumber(said or -1) ~= #records then
  fault('faces', hash, 'the document says ' .. (said or 'nothing') .. ' faces, database 3 has ' .. #records)
end
return {position, state, ticket, crowded and 1 or 0, faults, records, check_links()}
