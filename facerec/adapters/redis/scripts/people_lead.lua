-- One worker at a time does the grouping, and none while an archive is imported. ARGV: worker, milliseconds that its turn
-- lasts. Returns {1 when it is the worker's turn, else 0, position of the grouping, end of the journal}.
local worker, milliseconds = ARGV[1], ARGV[2]
local leader = redis.call('GET', 'grouping:leader')
if not leader or leader == worker then
  redis.call('SET', 'grouping:leader', worker, 'PX', milliseconds)
  leader = worker
end
local ours = leader == worker and redis.call('EXISTS', 'import') == 0
return {ours and 1 or 0, redis.call('GET', 'grouping:position') or '0',
        redis.call('GET', 'journal:position') or '0'}
