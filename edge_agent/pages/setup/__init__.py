"""Set-up: devices by browsing, machines by watching values, calendars; a draft of the site file until it is applied."""
