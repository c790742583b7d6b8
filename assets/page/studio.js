// The page's own script: the parts that live. Each part is a custom element, so it wakes when its tab is opened
// and sleeps when it is closed; what is being looked at stands in the address and nowhere else.

import "./theme.js";
import "./header.js";
import "./keys.js";
import "./focus.js";
import "./outdated.js";
import "./address.js";
import "./fields.js";
import "./job.js";
import "./runs.js";
import "./data.js";
import "./train.js";
import "./home.js";
import "./settings.js";
import "./compare.js";
import "./evaluate.js";
import "./export.js";
