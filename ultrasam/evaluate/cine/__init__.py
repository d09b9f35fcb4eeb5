"""Everything that scores following: clips with annotated objects, DAVIS's measures, the report."""
