#include "core/escape.hpp"

#include <map>

#include "tests/hostile_names.hpp"
#include "tests/precompiled_tests.hpp"

namespace fercli {

namespace {

bool steers_a_terminal(const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) return true;
    if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) return true;
  }
  return false;
}

TEST(Escape, OrdinaryNamesStayAsTheyAre) {
  for (const std::string name : {"Happy", "En colère", "大笑い", "a b-c_d.png", "😄"}) {
    EXPECT_EQ(printable(name), name);
    EXPECT_EQ(csv_field(name), name);
    EXPECT_EQ(escape_html(name), name);
    EXPECT_EQ(escape_markdown(name), name);
  }
}

TEST(Escape, NothingHostileSteersATerminal) {
  for (const auto& name : test::hostile_names()) {
    EXPECT_FALSE(steers_a_terminal(for_terminal(name))) << for_terminal(name);
    EXPECT_FALSE(steers_a_terminal(csv_field(name))) << for_terminal(name);
    EXPECT_FALSE(steers_a_terminal(escape_markdown(name))) << for_terminal(name);
    EXPECT_FALSE(steers_a_terminal(escape_html(name))) << for_terminal(name);
  }
}

TEST(Escape, ControlCharactersBecomeVisible) {
  EXPECT_EQ(printable("\x1b[31mred\n"), "\\u001b[31mred\\u000a");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\u009b2J");
  EXPECT_EQ(printable("a\xe2\x80\xae"
                      "b"),
            "a\\u202eb");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\\u0000b");
  EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\udb40\\udc41");
}

TEST(Escape, BytesThatAreNoUtf8BecomeTheReplacementCharacter) {
  EXPECT_EQ(printable("a\xff"
                      "b"),
            "a\\ufffdb");
  EXPECT_EQ(printable("\xc0\xaf"), "\\ufffd\\ufffd");             // an overlong slash
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd");  // a surrogate
  EXPECT_EQ(printable("\xe2\x82"), "\\ufffd\\ufffd");
}

TEST(Escape, LinesAndTabsStayOnATerminal) {
  EXPECT_EQ(for_terminal("a\n\tb\r"), "a\n\tb\\u000d");
}

TEST(Escape, LongMessagesAreCutBetweenCharacters) {
  std::string text;
  while (text.size() < 100000) text += "é";
  const std::string shown = for_message(text);
  EXPECT_LT(shown.size(), 4100u);
  EXPECT_EQ(shown.find("\\ufffd"), std::string::npos);
}

TEST(Escape, CsvFieldsAreNoFormulas) {
  for (const std::string first : {"=", "+", "-", "@"}) {
    const std::string field = csv_field(first + "1+1");
    EXPECT_EQ(field[field[0] == '"' ? 1 : 0], '\'') << field;
  }
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("say \"x\""), "\"say \"\"x\"\"\"");
  EXPECT_EQ(csv_field("=a,\"b\""), "\"'=a,\"\"b\"\"\"");
}

TEST(Escape, CsvFieldsComeBackAsTheyWere) {
  auto texts = test::hostile_names();
  for (const char* text : {"", "'", "''", "'tis", "'=x", "=x", "+c", "a\"b", "a\"\"b", "\"", "\"\"", "\"a\"", " ",
                           " x ", "x ", "' x", "a;b", "tab\there", "it's"})
    texts.emplace_back(text);
  for (const auto& text : texts) {
    const std::string field = csv_field(text);
    EXPECT_EQ(field.find('\n'), std::string::npos) << field;
    std::string back = "of the row before";
    read_csv_field(field, back);
    EXPECT_EQ(back, printable(text)) << field;
  }
}

TEST(Escape, CsvFieldsOfOthersAreReadWithoutQuotesAndOuterBlanks) {
  const std::map<std::string, std::string> fields{{"'tis", "'tis"},
                                                  {"\" 3 \"", "3"},
                                                  {"  3\t", "3"},
                                                  {"-5", "-5"},
                                                  {"a\"\"b", "a\"\"b"},
                                                  {"\"a\"\"b\"", "a\"b"},
                                                  {"\"a\" b \"c\"", "a\" b \"c"}};
  for (const auto& [field, expected] : fields) {
    std::string text;
    read_csv_field(field, text);
    EXPECT_EQ(text, expected) << field;
  }
}

TEST(Escape, MarkdownMakesNoLinksPicturesTagsOrTables) {
  EXPECT_EQ(escape_markdown("![x](http://a)"), "!\\[x\\](http\\://a)");
  EXPECT_EQ(escape_markdown("<b>|*x*`y`"), "\\<b\\>\\|\\*x\\*\\`y\\`");
  EXPECT_EQ(escape_markdown("www.example.org"), "www\\.example.org");
  EXPECT_EQ(escape_markdown("(_x_) __b__ a_b"), "(\\_x\\_) \\_\\_b\\_\\_ a_b");
  EXPECT_EQ(escape_markdown("# title\n# more"), "\\# title \\# more");
  EXPECT_EQ(escape_markdown("&lt;"), "\\&lt;");
}

TEST(Escape, HtmlMakesNoTagsOrAttributes) {
  EXPECT_EQ(escape_html("<a href=\"x\" on='y'>&"), "&lt;a href=&quot;x&quot; on=&#39;y&#39;&gt;&amp;");
}

}  // namespace

}  // namespace fercli
