-- Drop the journal up to and with a position, so that a worker that is not beyond it loads anew; with 'end' bring its last
-- entry and the position of its end together; a position that is no number becomes that of the last entry. ARGV: position or 'end'.
if ARGV[1] ~= 'end' then
  return redis.call('XTRIM', 'journal', 'MINID', string.format('%.0f-0', tonumber(ARGV[1]) + 1))
end
local entry = redis.call('XREVRANGE', 'journal', '+', '-', 'COUNT', 1)[1]
local told = redis.call('GET', 'journal:position') or '0'
local position = told:match('^%d+$') and tonumber(told) or 0
if not entry then
  if not told:match('^%d+$') then redis.call('SET', 'journal:position', '0') end
  return 0
end
local last = tonumber(entry[1]:match('^%d+'))
if last > position then
  redis.call('SET', 'journal:position', string.format('%.0f', last))
elseif last < position then
  redis.call('XTRIM', 'journal', 'MAXLEN', 0)
end
return 1
