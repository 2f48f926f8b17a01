#ifndef TUTTI_PARTICIPANTS_TOKEN_TOKEN_SERVICE_H_
#define TUTTI_PARTICIPANTS_TOKEN_TOKEN_SERVICE_H_

#include "participants/sdk/participant_server.h"

namespace tutti::token {

// tutti.token.v1.TokenService as a participant.
participant::ParticipantSpec TokenSpec();

}  // namespace tutti::token

#endif  // TUTTI_PARTICIPANTS_TOKEN_TOKEN_SERVICE_H_
