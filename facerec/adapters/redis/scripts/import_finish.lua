-- An import has ended. ARGV: ticket, position. The gap in the journal makes every worker load everything anew.
advance_counter(ARGV[1])
-- Who waits to be told of something may have been copied before it did, and a step of many before the last.
for _, owner in ipairs(redis.call('SMEMBERS', 'owners')) do
  local p = prefix_of(owner)
  if redis.call('EXISTS', p .. 'webhook:calls') == 1 then
    redis.call('ZADD', 'webhooks:waiting', 'LT', string.format('%.6f', seconds_now()), p)
  end
  if redis.call('EXISTS', p .. 'people:showing') == 1 then note_unfinished(p .. 'people:showing') end
end
local position = math.max(tonumber(redis.call('GET', 'journal:position') or 0), tonumber(ARGV[2])) + 1
redis.call('SET', 'journal:position', string.format('%.0f', position))
redis.call('DEL', 'journal', 'import')
return 'ok'
