-- The face records of some images without their landmarks, as one text: a client reads that many times faster than a reply
-- for each. ARGV: database, bytes of text after which it ends, bytes kept of a record, its keys.
-- Returns {text, number of records of each key as far as it came}. What is too short to be a record becomes zeros,
-- and a key that is no list counts as one such record: somebody else's key must not keep a worker from starting.
local database, limit, size = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local heads, reply = {}, {''}
redis.call('SELECT', database)
for i = 4, #ARGV do
  local records = redis.pcall('LRANGE', ARGV[i], 0, -1)
  if records.err then records = {''} end
  for _, record in ipairs(records) do
    heads[#heads + 1] = #record >= size and record:sub(1, size) or string.rep('\0', size)
  end
  reply[#reply + 1] = #records
  if #heads * size >= limit then break end
end
redis.call('SELECT', OWN)
reply[1] = table.concat(heads)
return reply
