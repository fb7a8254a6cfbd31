// The calls that are attacked.
#pragma once

#include <vector>

#include "process/kill/campaign.h"
#include "process/kill/attacked_feed.h"

namespace leat::test {

/// Each returns false if a promise was broken.
bool attack_producers(const CampaignOptions& options);
bool attack_consumers(const CampaignOptions& options);
bool attack_skips(const CampaignOptions& options);
bool attack_broker(const CampaignOptions& options);

}  // namespace leat::test
