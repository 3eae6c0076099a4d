-- What Floodway keeps of budgets. Each row's state is what the row is; the other columns are for finding it.
CREATE TABLE IF NOT EXISTS floodway_fleet_account (
    budget text COLLATE "C" PRIMARY KEY,
    state jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS floodway_fleet_member (
    budget text COLLATE "C" NOT NULL,
    replica text COLLATE "C" NOT NULL,
    due bigint NOT NULL,
    state jsonb NOT NULL,
    PRIMARY KEY (budget, replica)
);
CREATE INDEX IF NOT EXISTS floodway_fleet_member_due ON floodway_fleet_member (budget, due);
CREATE TABLE IF NOT EXISTS floodway_fleet_remnant (
    budget text COLLATE "C" NOT NULL,
    replica text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    due bigint,
    state jsonb NOT NULL,
    PRIMARY KEY (budget, replica, epoch)
);
CREATE INDEX IF NOT EXISTS floodway_fleet_remnant_due ON floodway_fleet_remnant (budget, due);
