// What the end of a call says: the participant's own word, or what the client library made of something else.
//
// The library turns what is no gRPC answer into a status, and some of these statuses read as refusals although the
// command may have taken effect: HTTP 401, 403 and 404 from a proxy, a stream reset for want of security, a compressed
// reply. They become UNKNOWN here, so that the command is sent again. Nothing but the text tells them from a
// participant's own status; a participant that sends such a text itself is taken for the library, which is the safe
// side.
#ifndef TUTTI_ORCHESTRATOR_EFFECTS_CALL_ANSWER_H_
#define TUTTI_ORCHESTRATOR_EFFECTS_CALL_ANSWER_H_

#include <string>

#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/status.h"

namespace tutti::effects {

// The status as the participant's word: a refusal that it did not utter is UNKNOWN and says what came instead, and so
// is a code that gRPC does not define. Details are kept.
grpc::Status OwnWord(const grpc::Status& status);

struct CallAnswer {
  grpc::Status status;
  std::string reply;  // empty unless the status is OK
};

// OK without a whole message, or with one that is compressed although nobody offered to inflate it, is INTERNAL. A
// message marked as compressed in an encoding that gRPC does not know comes as it is: the library does not tell.
CallAnswer AnswerOf(const grpc::Status& status, grpc::ByteBuffer* reply);

}  // namespace tutti::effects

#endif  // TUTTI_ORCHESTRATOR_EFFECTS_CALL_ANSWER_H_
