-- The gate and the augmenting for nginx.
local cjson = require "cjson.safe"

local not_ready = { ["00000000-0000-4000-8000-00000000dead"] = true }

local body_404 = '{"error":404,"code":"resource_not_consistent",' ..
    '"reason":"resource changes are still being processed by system",' ..
    '"suggestion":"this is a temporary state that will eventually be resolved by the system; please retry request"}'

local rules = {}

function rules.gate()
    local var = ngx.var
    if var.request_method ~= "POST" or not var.http_authorization or not not_ready[var.id] then return end
    ngx.status = 404
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Retry-After"] = "1"
    ngx.header["Content-Length"] = #body_404
    ngx.print(body_404)
    return ngx.exit(404)
end

local function applies()
    return ngx.status == 200 and ngx.var.wants_info == "yes" and ngx.header["Content-Type"] == "application/json"
end

-- Text before the last brace; the length is known beforehand, so the answer keeps one.
function rules.splice_header()
    if not applies() then return end
    local ready = tostring(not not_ready[ngx.var.id])
    local text = ',"info":{"resource_consistency":{"is_upload_ready":' .. ready .. ',"is_download_ready":' .. ready .. '}}}'
    ngx.ctx.text = text
    local length = ngx.header["Content-Length"]
    if length then ngx.header["Content-Length"] = tonumber(length) + #text - 1 end
    ngx.header["ETag"] = nil
end

-- Collects the answer; returns it whole at its end.
local function whole_body(ctx)
    local arg = ngx.arg
    local piece, last = arg[1], arg[2]
    if last and not ctx.pieces then return piece end
    ctx.pieces = ctx.pieces or {}
    ctx.pieces[#ctx.pieces + 1] = piece
    if last then return table.concat(ctx.pieces) end
    arg[1] = nil
end

function rules.splice_body()
    local ctx = ngx.ctx
    if not ctx.text then return end
    local body = whole_body(ctx)
    if not body then return end
    local brace = body:find("}%s*$")
    ngx.arg[1] = brace and body:sub(1, brace - 1) .. ctx.text or body
end

function rules.encode_header()
    if not applies() then return end
    local ready = not not_ready[ngx.var.id]
    ngx.ctx.info = { resource_consistency = { is_upload_ready = ready, is_download_ready = ready } }
    ngx.header["Content-Length"] = nil
    ngx.header["ETag"] = nil
end

function rules.encode_body()
    local ctx = ngx.ctx
    if not ctx.info then return end
    local body = whole_body(ctx)
    if not body then return end
    local object = cjson.decode(body)
    if not object then
        ngx.arg[1] = body
        return
    end
    object.info = ctx.info
    ngx.arg[1] = cjson.encode(object)
end

return rules
