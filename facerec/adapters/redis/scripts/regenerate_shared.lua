-- What the scripts of the regeneration share. The layout is told in facerec/adapters/redis/regeneration.py.
local PARKED = '9000000000000' -- a due time that never comes: what is missing of the image is in no share
local UNSENT = 'regenerate:unsent' -- what the conductor took last, until it says that the jobs are published
local NOBODY = string.rep('0', 64)

local function own_of(run) return redis.call('HGET', RUN, 'run') == run end
local function is_switched() return redis.call('EXISTS', SWITCHED) == 1 end

-- open, switch and close are told to every index at one journal position, with the models of the current set and of that aside.
local function tell_sets(length, operation)
  local model, aside = redis.call('GET', 'model') or '0', redis.call('HGET', RUN, 'aside_model')
  return write_journal(length, operation, 'default', NOBODY, string.format('%.0f', tonumber(model) * 256 + tonumber(aside)), {})
end
