// Definitions over random types that mostly compile: fields get what fits them, most of the time.
#ifndef TUTTI_TESTS_FUZZ_RANDOM_DEFINITION_H_
#define TUTTI_TESTS_FUZZ_RANDOM_DEFINITION_H_

#include <string>

#include "tests/fuzz/byte_reader.h"
#include "tests/fuzz/random_types.h"

namespace tutti::fuzz {

struct Definition {
  std::string text;
  const google::protobuf::Descriptor* input;  // never null
};

// Of up to three steps that the participant "play" answers; its steps and its output read a section each.
Definition RandomDefinition(ByteReader* reader, const RandomTypes& types);

// The method a step's action or compensation calls: "play.Service/Do3".
const google::protobuf::MethodDescriptor* MethodOf(const RandomTypes& types, const std::string& called);

}  // namespace tutti::fuzz

#endif  // TUTTI_TESTS_FUZZ_RANDOM_DEFINITION_H_
