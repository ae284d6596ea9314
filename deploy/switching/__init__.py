"""Which colour of the gateway callers reach, and moving them to the other one."""
