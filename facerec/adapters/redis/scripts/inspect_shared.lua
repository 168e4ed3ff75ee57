-- What the inspections of an image and of its names share. Faults are {kind, subject, detail}.
local faults = {}
local function fault(kind, subject, detail) faults[#faults + 1] = {kind, subject, detail} end

-- The name of a finished image leads to the newest image of that name, and back.
local function check_published(p, hash, name, upload)
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

local function check_unpublished(p, hash, name)
  if in_database(NAME_TO_HASH, 'GET', p .. name) == hash or redis.call('ZSCORE', p .. 'holders:' .. name, hash) then
    fault('name', name, 'leads to an image that is not done')
  end
end

-- `known` are names and tickets by turns, `in_two` are names that database 2 has.
local function check_names(p, hash, is_done, known, in_two)
  for i = 1, #known, 2 do
    if is_done then check_published(p, hash, known[i], known[i + 1]) else check_unpublished(p, hash, known[i]) end
  end
  for _, name in ipairs(is_done and in_two or {}) do
    if redis.call('HEXISTS', p .. 'names:' .. hash, name) == 0 then
      fault('name', name, 'only database 2 has it for ' .. hash)
    end
  end
end
