-- with: inspect_shared
-- Hold one image against every invariant that needs no distances, in one step. ARGV: owner, p, hash, links kept.
-- Returns {journal position, state, ticket, crowded, faults, records, links, 1 when it has too many names to look at here};
-- links are {hash, ticket}. Nothing is written.
local owner, p, hash, kept = unpack(ARGV)

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

-- An image that was sent under very many names has them looked at some at a time.
local many_names = 0
local function look_at_names()
  local key = p .. 'names:' .. hash
  if redis.call('HLEN', key) > NAMES_AT_ONCE or in_database(HASH_TO_NAMES, 'SCARD', p .. hash) > NAMES_AT_ONCE then
    many_names = 1
    return
  end
  local in_two = in_database(HASH_TO_NAMES, 'SMEMBERS', p .. hash)
  check_names(p, hash, state == 'done', redis.call('HGETALL', key), in_two)
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
  if crowded then fault('residue', hash, 'it is not done, but in the crowd') end
end

if #fields == 0 then
  local listed = crowded or redis.call('ZSCORE', p .. 'images', hash)
  for _, other in ipairs(OPEN_STATES) do listed = listed or redis.call('ZSCORE', p .. 'state:' .. other, hash) end
  if listed then fault('document', hash, 'a list has it, but there is no document') end
  return {position, '', '', crowded and 1 or 0, faults, {}, {}, 0}
end
check_document()
look_at_names()
if state ~= 'done' then
  check_nothing_of_it_is_finished()
  return {position, state, ticket, 0, faults, {}, {}, many_names}
end
local records = in_database(FACES, 'LRANGE', p .. hash, 0, -1)
local _, said = current_facts(p, hash)
if tonumber(said or -1) ~= #records then
  fault('faces', hash, 'the document says ' .. (said or 'nothing') .. ' faces, database 3 has ' .. #records)
end
return {position, state, ticket, crowded and 1 or 0, faults, records, check_links(), many_names}
