// Java: java.net.http.HttpClient, with its upgrade to h2c on each first request, and HttpURLConnection.
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class JavaClient {
    static String base;

    static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 0x20 || c > 0x7e) out.append(String.format("\\u%04x", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static void note(String operation, int status, List<String[]> fields, byte[] body) {
        StringBuilder list = new StringBuilder();
        for (String[] field : fields)
            list.append(list.length() == 0 ? "" : ",").append("[" + quoted(field[0]) + "," + quoted(field[1]) + "]");
        System.out.println("[" + quoted(operation) + "," + status + ",[" + list + "],"
            + quoted(body.length > 4000 ? body.length + " bytes, " + Arrays.hashCode(body)
                                        : new String(body, StandardCharsets.ISO_8859_1)) + "]");
    }

    static void simple(HttpClient client, String operation, String method, String path, BodyPublisher body, String... fields) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(base + path)).method(method, body).timeout(Duration.ofSeconds(operation.equals("expect") ? 3 : 20));
        if (operation.startsWith("expect")) request.expectContinue(true);
        if (fields.length > 0) request.headers(fields);
        var response = client.send(request.build(), BodyHandlers.ofByteArray());
        List<String[]> received = new ArrayList<>();
        response.headers().map().forEach((name, values) -> values.forEach(value -> received.add(new String[] {name, value})));
        note(operation, response.statusCode(), received, response.body());
    }

    static void everything(HttpClient client, String prefix) throws Exception {
        var none = BodyPublishers.noBody();
        simple(client, prefix + "get", "GET", "/echo?x=1&y=a%20b", none);
        simple(client, prefix + "head", "HEAD", "/echo", none);
        simple(client, prefix + "post", "POST", "/echo", BodyPublishers.ofString("hello"), "X-Case", "A");
        simple(client, prefix + "post nothing", "POST", "/echo", none);
        simple(client, prefix + "post chunks", "POST", "/echo", BodyPublishers.fromPublisher(BodyPublishers.ofString("hello world")));
        simple(client, prefix + "put a MiB", "PUT", "/echo", BodyPublishers.ofString("x".repeat(1 << 20)));
        simple(client, prefix + "patch", "PATCH", "/echo", BodyPublishers.ofString("[]"));
        simple(client, prefix + "delete", "DELETE", "/echo", none);
        for (String path : new String[] {"chunked", "trailers", "large", "empty", "redirect", "gzip", "close", "missing"})
            simple(client, prefix + path, "GET", "/" + path, none);
        simple(client, prefix + "stale", "GET", "/etag", none, "If-None-Match", "\"v1\"");
    }

    public static void main(String[] arguments) throws Exception {
        base = arguments[0];
        everything(HttpClient.newHttpClient(), "");
        everything(HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build(), "1.1 ");
        // It writes `100-Continue`, which not every server knows: then it waits.
        try {
            simple(HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build(), "expect", "POST", "/echo", BodyPublishers.ofString("hello"));
        } catch (HttpTimeoutException tooLong) {
            note("expect", 0, List.of(), "no answer".getBytes());
        }
        for (String path : new String[] {"/echo", "/redirect", "/missing", "/etag"}) {
            var connection = (HttpURLConnection) new URL(base + path).openConnection();
            List<String[]> received = new ArrayList<>();
            int status = connection.getResponseCode();
            connection.getHeaderFields().forEach((name, values) -> values.forEach(value -> { if (name != null) received.add(new String[] {name, value}); }));
            var stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
            note("url " + path, status, received, stream == null ? new byte[0] : stream.readAllBytes());
        }
    }
}
