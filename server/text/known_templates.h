// SPDX-License-Identifier: Apache-2.0
// The chat templates that the server renders, as they stand in their checkpoints'
// tokenizer_config.json. A checkpoint's template is recognised by its text alone: one that differs
// in a single character may mean another prompt.
#pragma once

#include <string>
#include <string_view>

namespace engram {

// deepseek-ai/DeepSeek-V3.
std::string_view DeepSeekV3TemplateText();
// models/engram-demo.
std::string_view DemoTemplateText();
// The tiny test checkpoints: as the demo's, but the end-of-answer marker is written out.
std::string_view TinyTemplateText();

// What Jinja itself does to a template's text before it reads it: all line ends become "\n", and
// one at the very end is dropped. Texts that agree after that render the same.
std::string NormaliseTemplateText(std::string_view text);

}  // namespace engram
