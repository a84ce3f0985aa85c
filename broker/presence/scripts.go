package presence

import "github.com/redis/go-redis/v9"

// The scripts take claims as KEYS, and as ARGV the prefix of leases, the
// milliseconds of a lease and of a claim, and the instance that asks; what
// follows belongs to the keys one by one. A claim is "number instance". They
// are read-modify-write of single claims, so that batches have no meaning of
// their own.
var (
	// claimScript writes each claim under the number that is offered, or the
	// next after the one that is there, and returns it with the former holder,
	// or "" if there was none that lives.
	claimScript = redis.NewScript(touchLua + aliveLua + `
local answer = {}
for i, key in ipairs(KEYS) do
  local number, former = tonumber(ARGV[i + 4]), ''
  local at, by = held(key)
  if at then
    number = math.max(number, at + 1)
    if alive(by) then former = by end
  end
  local text = string.format('%.0f', number)
  redis.call('SET', key, text .. ' ' .. ARGV[4], 'PX', ARGV[3])
  answer[2 * i - 1], answer[2 * i] = text, former
end
return answer`)

	// assertScript writes each claim again that is gone or older, and returns the
	// places of those for which a newer one is there.
	assertScript = redis.NewScript(touchLua + aliveLua + `
local lost = {}
for i, key in ipairs(KEYS) do
  local at = held(key)
  if at and at > tonumber(ARGV[i + 4]) then
    lost[#lost + 1] = i
  else
    redis.call('SET', key, ARGV[i + 4] .. ' ' .. ARGV[4], 'PX', ARGV[3])
  end
end
return lost`)

	// holderScript returns the number and the holder of each claim, or 0 and "".
	holderScript = redis.NewScript(aliveLua + `
local answer = {}
for i, key in ipairs(KEYS) do
  local at, by = held(key)
  if at and alive(by) then
    answer[2 * i - 1], answer[2 * i] = string.format('%.0f', at), by
  else
    answer[2 * i - 1], answer[2 * i] = '0', ''
  end
end
return answer`)

	// releaseScript takes only KEYS and their numbers: a claim that is another
	// one by now stays.
	releaseScript = redis.NewScript(heldLua + `
for i, key in ipairs(KEYS) do
  if held(key) == tonumber(ARGV[i]) then redis.call('DEL', key) end
end
return {}`)
)

const (
	touchLua = `redis.call('SET', ARGV[1] .. ARGV[4], '', 'PX', ARGV[2], 'NX')
`
	heldLua = `local function held(key)
  local claim = redis.call('GET', key)
  if not claim then return nil end
  local at, by = string.match(claim, '^(%d+) (.*)$')
  return tonumber(at), by
end
`
	aliveLua = heldLua + `local leases = {}
local function alive(instance)
  if leases[instance] == nil then
    leases[instance] = redis.call('EXISTS', ARGV[1] .. instance) == 1
  end
  return leases[instance]
end
`
)
