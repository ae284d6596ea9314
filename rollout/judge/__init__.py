"""From outcomes to a judgement: gates, verdict, golden set, bake. Pure."""
