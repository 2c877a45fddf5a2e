-- The gate and the augmenting for HAProxy. The text is spliced unchecked before the last brace: what Lua does quickest.
local not_ready = { ["00000000-0000-4000-8000-00000000dead"] = true }

local body_404 = '{"error":404,"code":"resource_not_consistent",' ..
    '"reason":"resource changes are still being processed by system",' ..
    '"suggestion":"this is a temporary state that will eventually be resolved by the system; please retry request"}'

local function id_of(path)
    return path:match("^/api/v1/projects/([^/]+)")
end

core.register_action("gate", { "http-req" }, function(txn)
    if not not_ready[id_of(txn.f:path())] then return end
    txn:done(txn:reply({
        status = 404,
        reason = "Not Found",
        headers = { ["content-type"] = { "application/json" }, ["retry-after"] = { "1" } },
        body = body_404,
    }))
end)

local augment = { id = "augment", flags = filter.FLT_CFG_FL_HTX }
augment.__index = augment

function augment:new()
    return setmetatable({}, augment)
end

function augment:start_analyze(txn, channel)
    if channel:is_resp() then filter.register_data_filter(self, channel) end
end

function augment:http_headers(txn, message)
    if not message.channel:is_resp() then
        self.id = id_of(txn.f:path())
        return
    end
    local headers = message:get_headers()
    local type = headers["content-type"]
    if tonumber(message:get_stline().code) ~= 200 or not type or type[0] ~= "application/json" then return end
    local state = tostring(not not_ready[self.id])
    self.text = ',"info":{"resource_consistency":{"is_upload_ready":' .. state .. ',"is_download_ready":' .. state .. '}}}'
    local length = headers["content-length"]
    if length then message:set_header("content-length", tostring(tonumber(length[0]) + #self.text - 1)) end
    message:del_header("etag")
end

function augment:http_payload(txn, message)
    if not self.text or not message.channel:is_resp() then return end
    local body = message:body()
    local brace = body and body:find("}%s*$")
    if brace then
        message:set(body:sub(1, brace - 1) .. self.text)
        self.text = nil
    end
end

core.register_filter("augment", augment, function(it, arguments) return it end)
