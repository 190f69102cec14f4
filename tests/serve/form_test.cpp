#include "serve/form.hpp"

#include <fmt/format.h>

#include "serve/upload.hpp"

namespace fercli::test {

namespace {

int status_of_form(const std::string& body) {
  try {
    parse_multipart(body, "b");
  } catch (const RequestError& error) {
    return error.status();
  }
  return 200;
}

TEST(Forms, PartsAreFoundByTheirNames) {
  const auto parts = parse_multipart(
      "--b\r\nContent-Disposition: form-data; name=\"goal\"\r\n\r\nany-to-sad\r\n"
      "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
      "\x89PNG\r\n\r\n--c\r\n--b--\r\n",
      "b");
  EXPECT_EQ(parts.fields.at("goal"), "any-to-sad");
  EXPECT_EQ(parts.files.at(0).name, "a.png");
  EXPECT_EQ(parts.files.at(0).bytes, "\x89PNG\r\n\r\n--c");
}

TEST(Forms, NamesMayBeUnquotedLastAndInAnyCase) {
  const auto parts = parse_multipart(
      "a preamble\r\n--b \t\r\nX-Other: 1\r\nCONTENT-disposition: Form-Data; filename=\"a;name=x.png\"; "
      "NAME=file\r\n\r\nbytes\r\n"
      "--b--\r\nan epilogue",
      "b");
  EXPECT_EQ(parts.files.size(), 1u);
  EXPECT_EQ(parts.files.at(0).bytes, "bytes");
}

TEST(Forms, AHeadMayBeFoldedAndNameItsFileTwice) {
  const auto parts = parse_multipart(
      "--b\r\nContent-Disposition: form-data;\r\n\tfilename*=utf-8''a%20b.png; filename=\"a \\\"b\\\".png\";\r\n "
      "name=\"file\"\r\n\r\nbytes\r\n--b--",
      "b");
  EXPECT_EQ(parts.files.at(0).name, "a \"b\".png");
  EXPECT_EQ(parts.files.at(0).bytes, "bytes");
}

TEST(Forms, AValueInBase64IsUnpacked) {
  const std::string head = "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: ";
  EXPECT_EQ(parse_multipart(head + "BASE64\r\n\r\naGVs\r\nbG8=\r\n--b--", "b").fields.at("a"), "hello");
  EXPECT_EQ(parse_multipart(head + "binary\r\n\r\naGVsbG8=\r\n--b--", "b").fields.at("a"), "aGVsbG8=");
  EXPECT_EQ(status_of_form(head + "quoted-printable\r\n\r\n=41\r\n--b--"), 400);
}

TEST(Forms, AValueMayBeEmpty) {
  EXPECT_EQ(parse_multipart("--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--", "b").fields.at("a"), "");
}

TEST(Forms, SeveralFilesAreKeptInTheirOrder) {
  std::string body;
  for (const char* name : {"b.png", "a.png", ""}) {
    body += fmt::format("--b\r\nContent-Disposition: form-data; name=file; filename=\"{}\"\r\n\r\nbytes of {}\r\n",
                        name, name);
  }
  const Form form = parse_multipart(body + "--b--", "b");
  ASSERT_EQ(form.files.size(), 3u);
  EXPECT_EQ(form.files[0].name, "b.png");
  EXPECT_EQ(form.files[1].bytes, "bytes of a.png");
  EXPECT_EQ(form.files[2].name, "");
  EXPECT_TRUE(form.fields.empty());
}

TEST(Forms, TheFirstOfTwoPartsWithOneNameCounts) {
  const std::string one = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
  const std::string two = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n2\r\n--b--";
  EXPECT_EQ(parse_multipart(one + two, "b").fields.at("a"), "1");
}

TEST(Forms, DamagedFormsAreRefused) {
  const std::string part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
  EXPECT_EQ(status_of_form(part + "--b--"), 200);
  for (const std::string& body :
       {std::string(), part, std::string("--b"), part + "--bx\r\n", part + "--b", std::string("--b\r\n\r\n1\r\n--b--"),
        std::string("--b\r\nContent-Disposition: form-data; name=a\r\n--b--\r\n\r\n--b--")}) {
    EXPECT_EQ(status_of_form(body), 400) << body;
  }
  std::string many;
  for (int i = 0; i < 33; ++i) many += part;
  EXPECT_EQ(status_of_form(many + "--b--"), 400);
}

TEST(Forms, TheHeadOfAPartIsShort) {
  const auto with_head = [](size_t length) {
    return "--b\r\nContent-Disposition: form-data; name=a; x=" + std::string(length, 'x') + "\r\n\r\n1\r\n--b--";
  };
  EXPECT_EQ(status_of_form(with_head(16'000)), 200);
  EXPECT_EQ(status_of_form(with_head(16'400)), 400);
}

TEST(Forms, AFormCutInItsLastBoundaryIsCalledCutShort) {
  const std::string part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
  for (const char* end : {"--b", "--b-", "--b\r"}) {
    try {
      parse_multipart(part + end, "b");
      ADD_FAILURE() << end;
    } catch (const RequestError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("cut short")) << end;
    }
  }
}

TEST(Forms, ABoundaryIsAskedFor) {
  EXPECT_THROW(parse_multipart("--\r\n", ""), RequestError);
  EXPECT_THROW(parse_multipart("--\r\n", std::string(71, 'b')), RequestError);
}

TEST(Forms, HeaderParametersMayBeQuotedAndFollowedByOthers) {
  const auto type = parse_header_value(" Multipart/Form-Data ; charset=utf-8; Boundary = \"a;\\\"b\" ; x");
  EXPECT_EQ(type.value, "multipart/form-data");
  EXPECT_EQ(type.parameters.at("boundary"), "a;\"b");
  EXPECT_EQ(type.parameters.at("charset"), "utf-8");
}

TEST(Targets, PathAndQueryAreDecoded) {
  const auto target = parse_target("/a%2Fb+c?lang=fr&x=%C3%A9+1&&y&x=2#z");
  EXPECT_EQ(target.path, "/a/b+c");
  EXPECT_EQ(target.fields, (std::map<std::string, std::string>{{"lang", "fr"}, {"x", "\xc3\xa9 1"}, {"y", ""}}));
}

TEST(Targets, BrokenEscapesStayAsTheyAre) {
  EXPECT_EQ(parse_target("/%zz%4%").path, "/%zz%4%");
}

TEST(Targets, WholeAddressesNameTheirPath) {
  EXPECT_EQ(parse_target("http://host:80/test?a=1").path, "/test");
  EXPECT_EQ(parse_target("http://host:80/test?a=1").authority, "host:80");
  EXPECT_EQ(parse_target("HTTP://host#x").authority, "host");
  EXPECT_EQ(parse_target("/test").authority, "");
  EXPECT_EQ(parse_target("http://host").path, "/");
  EXPECT_EQ(parse_target("http://host?a=1").fields.at("a"), "1");
  EXPECT_EQ(parse_target("/x?u=http://host/y").path, "/x");
}

}  // namespace

}  // namespace fercli::test
