# The page speaks of a campaign that has run.
labwright init soup
mv soup/bench.py soup/campaign.yaml .
labwright run campaign.yaml
