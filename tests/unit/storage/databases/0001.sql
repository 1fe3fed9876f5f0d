PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES('0001');
CREATE TABLE campaigns (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	folder TEXT NOT NULL, 
	state VARCHAR NOT NULL, 
	why TEXT, 
	created_at VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO campaigns VALUES(1,'ended','60a5516f183c5a0f456e45a4936a0961c6b54b3d74b68b754db08f9bc598d67f',replace('name: ended\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: "bench.py:measure", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}}}\nplanner: {kind: sampling}\nbudget: {trials: 1}\n','\n',char(10)),'/lab','finished','the budget of 1 trials is spent','2026-11-22T23:37:30.462+00:00');
INSERT INTO campaigns VALUES(2,'repeatable','27ec9e8eadbcc2ed1733f14c68db648cfd82a2678ec3dddea74d39a37a8b4bf3',replace('name: repeatable\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: "bench.py:measure", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}, repeatable: true}}\nplanner: {kind: sampling}\nbudget: {trials: 2}\n','\n',char(10)),'/lab','running',NULL,'2026-11-22T23:37:31.906+00:00');
INSERT INTO campaigns VALUES(3,'once','db23c2b6575d886600fb109756fbbc5688124fddd50fd9f87dc58d2590f28391',replace('name: once\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: "bench.py:measure", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}}}\nplanner: {kind: sampling}\nbudget: {trials: 2}\n','\n',char(10)),'/lab','running',NULL,'2026-11-22T23:37:33.187+00:00');
INSERT INTO campaigns VALUES(4,'lost','1241e93764e23954e51478ca8e644821a859c1228ec24cf4d6df977bfac4a085',replace('name: lost\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: "bench.py:measure", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}}}\nplanner: {kind: sampling}\nbudget: {trials: 2}\n','\n',char(10)),'/lab','paused','Nobody can say what became of bench.measure of trial lost/1 (run 4): it was begun, and no result came back. A person must look before anything else moves; this version cannot be told what was seen. To go on without it, start another campaign with the same file: --new NAME.','2026-11-22T23:37:34.545+00:00');
CREATE TABLE trials (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR NOT NULL, 
	proposal TEXT NOT NULL, 
	outcomes TEXT NOT NULL, 
	why TEXT, 
	proposed_at VARCHAR NOT NULL, 
	ended_at VARCHAR, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_trials_campaign_number UNIQUE (campaign_id, number), 
	FOREIGN KEY(campaign_id) REFERENCES campaigns (id)
);
INSERT INTO trials VALUES(1,1,1,'observed','{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"}','{"y":0.25}',NULL,'2026-11-22T23:37:30.767+00:00','2026-11-22T23:37:30.776+00:00');
INSERT INTO trials VALUES(2,2,1,'running','{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"}','{}',NULL,'2026-11-22T23:37:32.340+00:00',NULL);
INSERT INTO trials VALUES(3,3,1,'running','{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"}','{}',NULL,'2026-11-22T23:37:33.603+00:00',NULL);
INSERT INTO trials VALUES(4,4,1,'unknown','{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"}','{}','bench cannot say what became of it: it keeps no record of its commands','2026-11-22T23:37:35.021+00:00','2026-11-22T23:37:35.831+00:00');
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	resource VARCHAR NOT NULL, 
	capability VARCHAR NOT NULL, 
	command_id VARCHAR NOT NULL, 
	inputs TEXT NOT NULL, 
	state VARCHAR NOT NULL, 
	epoch INTEGER NOT NULL, 
	worker VARCHAR, 
	outcome TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_runs_trial_step UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (id), 
	UNIQUE (command_id)
);
INSERT INTO runs VALUES(1,1,0,'bench','measure','lw-ended-e24711970cb24296ac39400fe309c7c3','{"x":0.5}','done',1,'14067-809aacdd','{"objects":[],"quality":"good","values":{"y":{"sd":null,"unit":null,"value":0.25}}}');
INSERT INTO runs VALUES(2,2,0,'bench','measure','lw-repeatable-7171f81293e8426dbfef8e6acad84c8a','{"x":0.5}','intended',1,'14088-ffd2b37d',NULL);
INSERT INTO runs VALUES(3,3,0,'bench','measure','lw-once-6f68d304db4d4fe7abf50cfbd5b6902f','{"x":0.5}','intended',1,'14095-712de9b7',NULL);
INSERT INTO runs VALUES(4,4,0,'bench','measure','lw-lost-734b7f2023d1438f882170d06110f3a8','{"x":0.5}','unknown',1,'14150-be718fde',NULL);
CREATE TABLE ledger (
	stream VARCHAR NOT NULL, 
	seq INTEGER NOT NULL, 
	at VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	body TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	PRIMARY KEY (stream, seq)
);
INSERT INTO ledger VALUES('campaign/ended',1,'2026-11-22T23:37:30.464+00:00','campaign.added','{"campaign_state":"draft","digest":"60a5516f183c5a0f456e45a4936a0961c6b54b3d74b68b754db08f9bc598d67f","folder":"/lab","text":"name: ended\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: \"bench.py:measure\", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}}}\nplanner: {kind: sampling}\nbudget: {trials: 1}\n"}','0000000000000000000000000000000000000000000000000000000000000000','16e32aae6a4ea12603cc3c7b35604491fbdc980dae0634c5441fc3a11d333015');
INSERT INTO ledger VALUES('campaign/ended',2,'2026-11-22T23:37:30.466+00:00','campaign.start','{"campaign_state":"running","why":null}','16e32aae6a4ea12603cc3c7b35604491fbdc980dae0634c5441fc3a11d333015','b9a9b4ad07c1fe0425c20b0ae47298b99f6f406e8ba3b6403402a0551899148b');
INSERT INTO ledger VALUES('campaign/ended',3,'2026-11-22T23:37:30.769+00:00','trial.began','{"capability":"measure","command_id":"lw-ended-e24711970cb24296ac39400fe309c7c3","epoch":1,"inputs":{"x":0.5},"proposal":{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"},"proposed_at":"2026-11-22T23:37:30.767+00:00","resource":"bench","run":1,"run_state":"leased","step":0,"trial":1,"trial_state":"running"}','b9a9b4ad07c1fe0425c20b0ae47298b99f6f406e8ba3b6403402a0551899148b','6a9b666b46a60bfbdad31ced836c5a02967468a9bbcf6208687f1368979fbff3');
INSERT INTO ledger VALUES('campaign/ended',4,'2026-11-22T23:37:30.772+00:00','run.intended','{"epoch":1,"run":1,"run_state":"intended","trial":1,"why":null,"worker":"14067-809aacdd"}','6a9b666b46a60bfbdad31ced836c5a02967468a9bbcf6208687f1368979fbff3','d7e759949ac00e7bdd4ae889aaad85616c462e3099da9189698e6ee7b4e45630');
INSERT INTO ledger VALUES('campaign/ended',5,'2026-11-22T23:37:30.777+00:00','run.done','{"outcome":{"objects":[],"quality":"good","values":{"y":{"sd":null,"unit":null,"value":0.25}}},"outcomes":{"y":0.25},"run":1,"run_state":"done","trial":1,"trial_state":"observed","why":null}','d7e759949ac00e7bdd4ae889aaad85616c462e3099da9189698e6ee7b4e45630','405c727ed30cf288f54d39f1923352350a70ab88a90145c7fd4de3aa9a0d63da');
INSERT INTO ledger VALUES('campaign/ended',6,'2026-11-22T23:37:30.783+00:00','campaign.finish','{"campaign_state":"finished","why":"the budget of 1 trials is spent"}','405c727ed30cf288f54d39f1923352350a70ab88a90145c7fd4de3aa9a0d63da','504294801a26ebf38fa16e5cafd1f95e1936812f4a5666748b15a878bc5ea027');
INSERT INTO ledger VALUES('campaign/repeatable',1,'2026-11-22T23:37:31.908+00:00','campaign.added','{"campaign_state":"draft","digest":"27ec9e8eadbcc2ed1733f14c68db648cfd82a2678ec3dddea74d39a37a8b4bf3","folder":"/lab","text":"name: repeatable\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: \"bench.py:measure\", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}, repeatable: true}}\nplanner: {kind: sampling}\nbudget: {trials: 2}\n"}','0000000000000000000000000000000000000000000000000000000000000000','2ce6437e61417a82cdac6bdf9153bf83110d2abc995d78c92d1b70f278876d7b');
INSERT INTO ledger VALUES('campaign/repeatable',2,'2026-11-22T23:37:31.912+00:00','campaign.start','{"campaign_state":"running","why":null}','2ce6437e61417a82cdac6bdf9153bf83110d2abc995d78c92d1b70f278876d7b','5789bde292ffab82c8481ac765bfd4771d22693e6f3683f8b3396e021e5f95fe');
INSERT INTO ledger VALUES('campaign/repeatable',3,'2026-11-22T23:37:32.342+00:00','trial.began','{"capability":"measure","command_id":"lw-repeatable-7171f81293e8426dbfef8e6acad84c8a","epoch":1,"inputs":{"x":0.5},"proposal":{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"},"proposed_at":"2026-11-22T23:37:32.340+00:00","resource":"bench","run":2,"run_state":"leased","step":0,"trial":1,"trial_state":"running"}','5789bde292ffab82c8481ac765bfd4771d22693e6f3683f8b3396e021e5f95fe','7ac65dabfa8f1ea2bf0d9f7d94f3505953f139487e7aa04c6927551631f5f9b8');
INSERT INTO ledger VALUES('campaign/repeatable',4,'2026-11-22T23:37:32.346+00:00','run.intended','{"epoch":1,"run":2,"run_state":"intended","trial":1,"why":null,"worker":"14088-ffd2b37d"}','7ac65dabfa8f1ea2bf0d9f7d94f3505953f139487e7aa04c6927551631f5f9b8','404fe7c80bcb7be8a230648b83af866498b005fd26336410eac5625c1fbac9a8');
INSERT INTO ledger VALUES('campaign/once',1,'2026-11-22T23:37:33.189+00:00','campaign.added','{"campaign_state":"draft","digest":"db23c2b6575d886600fb109756fbbc5688124fddd50fd9f87dc58d2590f28391","folder":"/lab","text":"name: once\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: \"bench.py:measure\", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}}}\nplanner: {kind: sampling}\nbudget: {trials: 2}\n"}','0000000000000000000000000000000000000000000000000000000000000000','cb6776c272ca8c0fd4418aaff37e3b38abc153fa17053d53df181ae07e47c31e');
INSERT INTO ledger VALUES('campaign/once',2,'2026-11-22T23:37:33.196+00:00','campaign.start','{"campaign_state":"running","why":null}','cb6776c272ca8c0fd4418aaff37e3b38abc153fa17053d53df181ae07e47c31e','4d54ee2872ad67ffe2ee4f56666ed3a1f1fac85a90f7774fec87d3950a51d480');
INSERT INTO ledger VALUES('campaign/once',3,'2026-11-22T23:37:33.605+00:00','trial.began','{"capability":"measure","command_id":"lw-once-6f68d304db4d4fe7abf50cfbd5b6902f","epoch":1,"inputs":{"x":0.5},"proposal":{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"},"proposed_at":"2026-11-22T23:37:33.603+00:00","resource":"bench","run":3,"run_state":"leased","step":0,"trial":1,"trial_state":"running"}','4d54ee2872ad67ffe2ee4f56666ed3a1f1fac85a90f7774fec87d3950a51d480','b603a5930194275d57fe89cfe94b8b0b03c32342ec10f8f26fe0eee280c0eff0');
INSERT INTO ledger VALUES('campaign/once',4,'2026-11-22T23:37:33.608+00:00','run.intended','{"epoch":1,"run":3,"run_state":"intended","trial":1,"why":null,"worker":"14095-712de9b7"}','b603a5930194275d57fe89cfe94b8b0b03c32342ec10f8f26fe0eee280c0eff0','aa740b39499a09d043710966a7f45db617f8f30e133907b21aaf37e58312a608');
INSERT INTO ledger VALUES('campaign/lost',1,'2026-11-22T23:37:34.548+00:00','campaign.added','{"campaign_state":"draft","digest":"1241e93764e23954e51478ca8e644821a859c1228ec24cf4d6df977bfac4a085","folder":"/lab","text":"name: lost\nspace: {x: {kind: continuous, low: 0, high: 1}}\nobjectives: {y: {goal: minimize}}\nprocedure: [{use: bench.measure, with: {x: $x}, gives: {y: $y}}]\nresources: {bench: {kind: function, call: \"bench.py:measure\", inputs: {x: {low: 0, high: 1}}, outputs: {y: null}}}\nplanner: {kind: sampling}\nbudget: {trials: 2}\n"}','0000000000000000000000000000000000000000000000000000000000000000','cbf596c9bcd3fa266d73ec997776f26238be051ac1b593c99baea4438d7a62a3');
INSERT INTO ledger VALUES('campaign/lost',2,'2026-11-22T23:37:34.557+00:00','campaign.start','{"campaign_state":"running","why":null}','cbf596c9bcd3fa266d73ec997776f26238be051ac1b593c99baea4438d7a62a3','545a8e8c576acd99519999a3f6307fdeb60611fdf7251dd301cfcee9c0c5c48a');
INSERT INTO ledger VALUES('campaign/lost',3,'2026-11-22T23:37:35.023+00:00','trial.began','{"capability":"measure","command_id":"lw-lost-734b7f2023d1438f882170d06110f3a8","epoch":1,"inputs":{"x":0.5},"proposal":{"acquisition":null,"p_feasible":null,"point":{"x":0.5},"predictions":{},"reason":"the centre of the space","source":"sampling"},"proposed_at":"2026-11-22T23:37:35.021+00:00","resource":"bench","run":4,"run_state":"leased","step":0,"trial":1,"trial_state":"running"}','545a8e8c576acd99519999a3f6307fdeb60611fdf7251dd301cfcee9c0c5c48a','1e32ca176b1c43f9afa43ae6e82729cf82fc534510dbe541e773ab3574fe0470');
INSERT INTO ledger VALUES('campaign/lost',4,'2026-11-22T23:37:35.028+00:00','run.intended','{"epoch":1,"run":4,"run_state":"intended","trial":1,"why":null,"worker":"14150-be718fde"}','1e32ca176b1c43f9afa43ae6e82729cf82fc534510dbe541e773ab3574fe0470','6d9f152a14b0d2a8f453f98e34416148a4ec7793aa5f6cedddb6c429eff90e16');
INSERT INTO ledger VALUES('campaign/lost',5,'2026-11-22T23:37:35.833+00:00','run.unknown','{"outcomes":{},"run":4,"run_state":"unknown","trial":1,"trial_state":"unknown","why":"bench cannot say what became of it: it keeps no record of its commands"}','6d9f152a14b0d2a8f453f98e34416148a4ec7793aa5f6cedddb6c429eff90e16','3ebc13ca65a91a228a825423d2047b07080542f69d7dd4c1ff6940d86b0167c6');
INSERT INTO ledger VALUES('campaign/lost',6,'2026-11-22T23:37:35.840+00:00','campaign.pause','{"campaign_state":"paused","why":"Nobody can say what became of bench.measure of trial lost/1 (run 4): it was begun, and no result came back. A person must look before anything else moves; this version cannot be told what was seen. To go on without it, start another campaign with the same file: --new NAME."}','3ebc13ca65a91a228a825423d2047b07080542f69d7dd4c1ff6940d86b0167c6','b52d6daa0ac3b5168b272fde6202e335bcf29920ae0e483937250cb5588367e3');
CREATE INDEX ix_trials_state ON trials (state);
CREATE INDEX ix_runs_trial_id ON runs (trial_id);
CREATE INDEX ix_runs_state ON runs (state);
COMMIT;
