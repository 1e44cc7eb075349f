-- The time zone that a device's own clock shows was set from the command line only; whoever manages devices on the pages
-- may now say it there. The policy on device asks for the role behind it, as for a device's site.

grant update (time_zone) on homeward.device to homeward_dashboard;
