#pragma once

#include <string>
#include <vector>

namespace fercli::test {

/// Names of classes, images, people, files as strangers may choose them: what each medium has to withstand.
inline std::vector<std::string> hostile_names() {
  return {"\x1b[31mred\x1b[0m",
          "\x1b]0;title\x07",
          "\xc2\x9b"
          "2J",
          "a\rb",
          "two\nlines",
          "bell\x07",
          "\xe2\x80\xae"
          "gnp.exe",
          "=1+1",
          "+cmd|' /C calc'!A0",
          "-2+3",
          "@SUM(1)",
          "a,b\"c;d",
          "<img src=x onerror=alert(1)>",
          "</title><script>alert(1)</script>",
          "\" onmouseover=\"alert(1)",
          "' onmouseover='alert(1)",
          "![picture](https://example.org/x.png)",
          "[link](javascript:alert(1))",
          "`code`|cell|**bold**",
          "../../escaped",
          "/tmp/absolute",
          "..\\windows",
          "..",
          ".",
          "-rf",
          "con:",
          "$(touch x)",
          "'; touch x; '",
          "%n%s%1$n",
          "{}{0}",
          "not \xff\xfe utf-8",
          std::string("nul\0byte", 8),
          std::string(5000, 'x')};
}

}  // namespace fercli::test
