#include "proxy/config/yaml_document.hpp"

#include "proxy/json/utf8.hpp"
#include "sidecar/config.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

namespace sidecar {
namespace {

constexpr std::size_t text_bytes_max = mib; // a ConfigMap can't be larger
constexpr std::size_t nodes_max = 20'000;
constexpr std::size_t depth_max = 16;

place place_of(const YAML::Mark& mark) { return {0, mark.line + 1, mark.column + 1}; }

// Thrown through yaml-cpp, which can't be told to stop otherwise.
struct given_up {
    complaint why;
};

// Builds the tree from yaml-cpp's events. (Its own tree drops what duplicate keys and aliases were.)
class builder : public YAML::EventHandler {
public:
    builder(yaml_document& into, std::string_view text) : into_(into), text_(text) {}

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
        yaml_node node;
        node.where = has_key() ? open_.back()->keys.back().where : place_of(mark); // the mark is of what comes next
        add(std::move(node));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        yaml_node node;
        node.is = yaml_node::kind::alias;
        node.where = place_of(mark);
        add(std::move(node));
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
        check_tag(mark, tag);
        yaml_node node;
        node.is = yaml_node::kind::scalar;
        node.quoted = tag == "!"; // what yaml-cpp says of a scalar that is not plain
        node.where = place_of(mark);
        if (node.quoted && !is_closed(static_cast<std::size_t>(mark.pos)))
            throw given_up{{node.where, "no valid YAML: expected the quote that ends the text that begins here"}};
        node.text = value;
        add(std::move(node));
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, yaml_node::kind::sequence);
    }
    void OnSequenceEnd() override { open_.pop_back(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, yaml_node::kind::map);
    }
    void OnMapEnd() override { open_.pop_back(); }

    void OnAnchor(const YAML::Mark& mark, const std::string&) override {
        complain(mark, "an anchor: there are no aliases here that could use it");
    }

private:
    void complain(const YAML::Mark& mark, std::string message) {
        into_.complaints.push_back({place_of(mark), std::move(message)});
    }

    void check_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") complain(mark, "a tag: the keys say what type a value has");
    }

    // yaml-cpp takes the end of the file for the end of a text in quotes, which thereby swallows all keys below.
    bool is_closed(std::size_t at) const {
        if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return true; // a block
        const char quote = text_[at];
        while (++at < text_.size()) {
            const bool doubled = quote == '\'' && text_.substr(at).starts_with("''");
            if (doubled || (text_[at] == '\\' && quote == '"'))
                ++at;
            else if (text_[at] == quote)
                return true;
        }
        return false;
    }

    // The map at hand has a key that waits for its value.
    bool has_key() const {
        return !open_.empty() && open_.back()->is == yaml_node::kind::map &&
               open_.back()->keys.size() > open_.back()->items.size();
    }

    void open(const YAML::Mark& mark, const std::string& tag, yaml_node::kind kind) {
        check_tag(mark, tag);
        yaml_node node;
        node.is = kind;
        node.where = place_of(mark);
        if (open_.size() == depth_max) throw given_up{{node.where, "nested too deeply"}};
        open_.push_back(add(std::move(node)));
    }

    // Parents don't move while a child is open: only the innermost grows.
    yaml_node* add(yaml_node node) {
        if (++nodes_ > nodes_max) throw given_up{{node.where, "too many values for a configuration"}};
        if (open_.empty()) {
            into_.root = std::move(node);
            return &into_.root;
        }
        auto& parent = *open_.back();
        const bool is_key = parent.is == yaml_node::kind::map && !has_key();
        auto& siblings = is_key ? parent.keys : parent.items;
        siblings.push_back(std::move(node));
        return &siblings.back();
    }

    yaml_document& into_;
    std::string_view text_;
    std::vector<yaml_node*> open_; // from the root to the innermost
    std::size_t nodes_ = 0;
};

std::string_view line_of(std::string_view text, int line) {
    for (; line > 0 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    return text.substr(0, text.find('\n'));
}

// What yaml-cpp says, and what there should have been. Its own words are about its grammar.
std::string in_plain_words(const std::string& told, std::string_view line) {
    struct wording {
        std::string_view told;
        std::string_view expected;
    };
    constexpr std::array<wording, 15> words{{
        {"illegal map value",
         "expected one value behind each key: a text with ': ' in it needs quotes, a key without a value its ':'"},
        {"illegal map key", "expected a key at the left edge of its section, with ':' behind it"},
        {"illegal block entry", "expected '- ' at the beginning of a line, below the key whose list it is"},
        {"end of map not found", "expected a key, with ':' behind it, in the column of the keys above"},
        {"end of sequence not found", "expected '- ' in the column of the items above, or a key further to the left"},
        {"end of map flow not found", "expected ',' or the '}' of a map that began with '{'"},
        {"end of sequence flow not found", "expected ',' or the ']' of a list that began with '['"},
        {"illegal flow end", "expected '[' or '{' before this bracket"},
        {"illegal tab when looking for indentation", "expected blanks: tabs don't indent"},
        {"illegal EOF in scalar", "expected the quote that ends a text"},
        {"illegal document indicator in scalar", "expected the quote that ends a text"},
        {"unknown escape character: ",
         "expected an escape of YAML's behind '\\', such as \\n; '...' takes it as it stands"},
        {"unknown token", "expected a value: one that begins with this character needs quotes"},
        {"illegal character in scalar", "expected a value: one that begins with this character needs quotes"},
        {"unexpected character in block scalar", "expected the text in the lines below '|' or '>'"},
    }};
    constexpr std::string_view by_tab = "no valid YAML: expected blanks: tabs don't indent";
    if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != std::string_view::npos) return std::string(by_tab);
    for (const auto& each : words)
        if (told.starts_with(each.told)) return "no valid YAML: " + std::string(each.expected);
    return "no valid YAML: " + told;
}

// A document after the first.
class one_too_many : public YAML::EventHandler {
public:
    [[noreturn]] void OnDocumentStart(const YAML::Mark& mark) override {
        throw given_up{{place_of(mark), "a second document: there must be one"}};
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
    void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnSequenceEnd() override {}
    void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
    void OnMapEnd() override {}
};

// yaml-cpp takes whatever bytes there are; what is no text is better named where it stands.
std::optional<complaint> first_byte_that_is_no_text(std::string_view text) {
    place at;
    while (!text.empty()) {
        const char c = text.front();
        const auto length = utf8_length(text);
        const bool control = length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
        if (length == 0) return complaint{at, "not UTF-8: the file must be text"};
        if (control && c != '\t' && c != '\n' && c != '\r')
            return complaint{at, "a control byte: the file must be text"};
        at = c == '\n' ? place{0, at.line + 1, 1} : place{0, at.line, at.column + 1};
        text.remove_prefix(length);
    }
    return std::nullopt;
}

} // namespace

yaml_document parse_yaml(std::string_view text) {
    yaml_document document;
    const auto ended_by = [&document](complaint why) {
        document.complaints.push_back(std::move(why));
        document.whole = false;
        return document;
    };
    if (text.size() > text_bytes_max)
        return ended_by({{}, "larger than " + std::to_string(text_bytes_max / kib) + " KiB"});
    if (auto wrong = first_byte_that_is_no_text(text)) return ended_by(std::move(*wrong));
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        builder first(document, text);
        one_too_many others;
        if (parser.HandleNextDocument(first)) parser.HandleNextDocument(others);
    } catch (const given_up& e) {
        return ended_by(e.why);
    } catch (const YAML::Exception& e) {
        return ended_by(
            {e.mark.is_null() ? place{} : place_of(e.mark), in_plain_words(e.msg, line_of(text, e.mark.line))});
    }
    return document;
}

} // namespace sidecar
