// remote/xml_reader_test.cc: what S3 servers write, and what nobody should.
#include "remote/xml_reader.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "remote/remote_words.h"

namespace volary {
namespace {

// "<a <b =text >b >a": the events of a document in a line.
std::string events(std::string_view document) {
  std::string line;
  XmlReader reader(document);
  for (auto event = reader.next(); event != XmlReader::Event::done; event = reader.next()) {
    if (!line.empty()) line += ' ';
    if (event == XmlReader::Event::begin) line += "<" + std::string(reader.name());
    else line += reader.text() + ">" + std::string(reader.name());
  }
  return line;
}

TEST(XmlReader, ReadsElementsAndText) {
  EXPECT_EQ(events("<?xml version=\"1.0\"?>\n<a xmlns=\"x>y\"><b>text</b><c/><d x='/'>1</d></a>\n"),
            "<a <b text>b <c >c <d 1>d >a");
  EXPECT_EQ(events("\xef\xbb\xbf<s3:a><s3:b>x</s3:b></s3:a>"), "<a <b x>b >a");
  EXPECT_EQ(events("<a><!-- <b> --><![CDATA[<&]]>x</a >"), "<a <&x>a");
}

TEST(XmlReader, ReplacesReferences) {
  EXPECT_EQ(events("<a>&amp;&lt;&gt;&quot;&apos;&#65;&#x42;&#xe9;&#x6F22;&#x1F600;</a>"),
            "<a &<>\"'AB\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80>a");
}

TEST(XmlReader, RefusesBrokenDocumentsWithTheirPlace) {
  const auto message = [](std::string_view document) { return error_text([&] { events(document); }); };
  EXPECT_EQ(message(""), "corrupt: broken XML at byte 0: there is no element");
  EXPECT_EQ(message("<a><b></a>"), "corrupt: broken XML at byte 6: </a> closes what was not opened");
  EXPECT_EQ(message("<a>text"), "corrupt: broken XML at byte 7: the document ends inside <a>");
  EXPECT_EQ(message("<a/>x"), "corrupt: broken XML at byte 4: text outside of the document's element");
  EXPECT_EQ(message("<a/><b/>"), "corrupt: broken XML at byte 4: a second element after the document's");
  EXPECT_EQ(message("<!DOCTYPE a [<!ENTITY x \"y\">]><a/>"),
            "corrupt: broken XML at byte 0: a document type is not accepted");
  EXPECT_EQ(message("<a>&x;</a>"), "corrupt: broken XML at byte 3: an unknown entity");
  EXPECT_EQ(message("<a>&#xd800;</a>"), "corrupt: broken XML at byte 3: a character reference that is none");
  EXPECT_EQ(message("<a>& b</a>"), "corrupt: broken XML at byte 3: '&' without ';'");
  EXPECT_EQ(message("<a <b>"), "corrupt: broken XML at byte 3: '<' inside a tag");
  EXPECT_EQ(message("</a>"), "corrupt: broken XML at byte 0: </a> closes what was not opened");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_NE(message(deep).find("elements too deep in each other"), std::string::npos);
}

RC_GTEST_PROP(XmlReader, EitherReadsOrRefusesAnything, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("<>/ab&;#x!-[]?\"'= C")));
  const auto error = error_of([&] { events(text); });
  RC_ASSERT(!error || error->code() == Errc::corrupt);
}

}  // namespace
}  // namespace volary
