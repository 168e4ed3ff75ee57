-- with: regenerate_shared
-- Begin a regeneration, or add shares to the one that runs. ARGV: now, journal length, model to move to, model of the current
-- set unless it is known, parts, shares as JSON, what is skipped, jobs at once, seconds to keep the old set.
-- Returns {'started' or 'joined', run}, or {'other', why not}.
local now, length, model, base, parts, shares, skip, workers, keep = unpack(ARGV)
if redis.call('EXISTS', 'import') == 1 then return {'other', 'an import is running'} end
if redis.call('EXISTS', RUN) == 1 then
  local doc = redis.call('HMGET', RUN, 'run', 'model', 'parts', 'skip', 'shares', 'open')
  if doc[6] ~= '1' then return {'other', 'the set of the last regeneration is still being dropped'} end
  if is_switched() then return {'other', 'the old set is still kept: roll back, or finish first'} end
  if doc[2] ~= model or doc[3] ~= parts or doc[4] ~= skip then return {'other', 'another regeneration is under way'} end
  local known, added = cjson.decode(doc[5]), 0
  for _, share in ipairs(cjson.decode(shares)) do
    local text, is_new = cjson.encode(share), true
    for _, other in ipairs(known) do is_new = is_new and cjson.encode(other) ~= text end
    if is_new then
      known[#known + 1] = share
      added = added + 1
    end
  end
  -- What is parked is looked at again.
  if added > 0 then redis.call('HSET', RUN, 'shares', cjson.encode(known), 'walked', 0) end
  redis.call('HDEL', RUN, 'cursor_owner', 'cursor_ticket', 'counted', 'gained', 'lost')
  redis.call('HSET', RUN, 'state', 'running', 'workers', workers)
  return {'joined', doc[1]}
end
for database = ASIDE_FACES, ASIDE_LINKS do
  if in_database(database, 'DBSIZE') > 0 then return {'other', 'database ' .. database .. ' is not empty'} end
end
local run = string.format('%.0f', redis.call('INCR', 'regenerate:runs'))
if redis.call('EXISTS', 'model') == 0 then redis.call('SET', 'model', base) end
redis.call('HSET', RUN, 'run', run, 'open', 1, 'state', 'running', 'model', model, 'base', redis.call('GET', 'model'),
           'aside_model', model, 'parts', parts, 'shares', shares, 'skip', skip, 'workers', workers, 'keep', keep,
           'started_at', now, 'walked', 0)
tell_sets(length, 'open')
return {'started', run}
