-- with: regenerate_shared
-- Go on through all images, by owner and ticket. ARGV: run, what (owe: note what the set aside lacks; count: hold the links of
-- both sets against each other; drop: forget the set aside), images at most. Returns 'more', 'end', or 'over'.
local run, what, left = ARGV[1], ARGV[2], tonumber(ARGV[3])
local doc = redis.call('HMGET', RUN, 'run', 'open', 'cursor_owner', 'cursor_ticket', 'walked', 'counted')
if doc[1] ~= run or (what == 'drop') ~= (doc[2] == '0') then return 'over' end
-- The same call may come twice.
if (what == 'owe' and doc[5] == '1') or (what == 'count' and doc[6]) then return 'end' end
local owners, visit, switched = redis.call('SMEMBERS', 'owners'), {}, is_switched()
table.sort(owners)

function visit.owe(p, hash)
  local key, member = document(p, hash), p .. hash
  if redis.call('HGET', key, 'state') ~= 'done' or redis.call('HEXISTS', key, 'other_model') == 1 then return end
  local due = redis.call('ZSCORE', PENDING, member)
  if not due or tonumber(due) >= tonumber(PARKED) then redis.call('ZADD', PENDING, 0, member) end
end

function visit.count(p, hash)
  local mine, theirs, both = in_database(LINKS, 'SMEMBERS', p .. hash), in_database(ASIDE_LINKS, 'SMEMBERS', p .. hash), 0
  local known = {}
  for _, other in ipairs(mine) do known[other] = true end
  for _, other in ipairs(theirs) do
    if known[other] then both = both + 1 end
  end
  if switched then mine, theirs = theirs, mine end
  redis.call('HINCRBY', RUN, 'gained', #theirs - both)
  redis.call('HINCRBY', RUN, 'lost', #mine - both)
end

function visit.drop(p, hash)
  local key = document(p, hash)
  if redis.call('HEXISTS', key, 'other_model') == 1 then
    if switched then
      for _, field in ipairs(FACTS) do redis.call('HSET', key, field, redis.call('HGET', key, 'other_' .. field)) end
    end
    redis.call('HDEL', key, 'other_model', 'other_faces', 'other_position')
  end
  redis.call('HDEL', key, 'regenerated')
  in_database(ASIDE_FACES, 'DEL', p .. hash)
  in_database(ASIDE_LINKS, 'DEL', p .. hash)
  redis.call('HDEL', NOTES, p .. hash)
end

local above = doc[4] or '-inf'
for _, owner in ipairs(owners) do
  if not doc[3] or owner >= doc[3] then
    if owner ~= doc[3] then above = '-inf' end
    local p = prefix_of(owner)
    local found = redis.call('ZRANGEBYSCORE', p .. 'images', above, '+inf', 'WITHSCORES', 'LIMIT', 0, left)
    for i = 1, #found, 2 do visit[what](p, found[i]) end
    left = left - #found / 2
    if #found > 0 then
      redis.call('HSET', RUN, 'cursor_owner', owner, 'cursor_ticket', string.format('(%.0f', tonumber(found[#found])))
    end
    if left <= 0 then return 'more' end
  end
end
redis.call('HDEL', RUN, 'cursor_owner', 'cursor_ticket')
if what == 'owe' then redis.call('HSET', RUN, 'walked', 1) end
if what == 'count' then redis.call('HSET', RUN, 'counted', 1) end
return 'end'
